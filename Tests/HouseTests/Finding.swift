/// What the house insists on. `Docs/Contributing.md` says it in words.
enum Rule: String, CaseIterable {
  case imports
  case importTable
  case bannedCalls
  case globalVariables
  case unorderedIteration
  case fileLength
  case functionLength
  case lineLength
  case unfinishedWork
  case machinePaths
  case links
  case fileNames
  case examples
  case topLevel
}

/// A place where a rule is broken.
struct Finding: Hashable, CustomStringConvertible {
  let rule: Rule
  let path: String
  /// Counted from 1; zero when the finding concerns the whole file or directory.
  let line: Int
  let message: String

  var description: String { line == 0 ? "\(path): \(message)" : "\(path):\(line): \(message)" }
}
