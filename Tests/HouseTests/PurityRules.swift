/// What would make two runs of one seed differ, or a node die of its input. Only for the targets in `ImportTable.pure`.
enum PurityRules {
  static let banned: [(code: String, reason: String)] = [
    ("ContinuousClock", "time comes in with the event"),
    ("SuspendingClock", "time comes in with the event"),
    ("Task {", "no concurrency here"),
    ("Task (", "no concurrency here"),
    ("Task <", "no concurrency here"),
    ("Task .", "no concurrency here"),
    ("async", "no concurrency here"),
    ("await", "no concurrency here"),
    ("DispatchQueue", "no concurrency here"),
    ("Mutex <", "no concurrency here"),
    ("Mutex (", "no concurrency here"),
    ("Atomic <", "no concurrency here"),
    ("Atomic (", "no concurrency here"),
    ("nonisolated(unsafe)", "no shared mutable state"),
    ("SystemRandomNumberGenerator", "random numbers come from the generator passed in"),
    (".random(in:", "draw integers from the generator passed in"),
    (".random()", "draw integers from the generator passed in"),
    (".shuffle()", "random numbers come from the generator passed in"),
    (".shuffled()", "random numbers come from the generator passed in"),
    (".randomElement()", "random numbers come from the generator passed in"),
    ("hashValue", "differs between processes"),
    ("Hasher()", "differs between processes"),
    ("fatalError(", "throw an error, or make the state impossible"),
    ("try!", "handle the error"),
  ]

  static func bannedCalls(_ source: SwiftSource) -> [Finding] {
    guard ImportTable.pure[source.directory] != nil else { return [] }
    return banned.flatMap { entry in
      source.lines(of: entry.code).map { source.finding(.bannedCalls, line: $0, "\(entry.code) is banned: \(entry.reason)") }
    }
  }

  /// Stored variables of a file or a type. Computed ones are welcome.
  static func globalVariables(_ source: SwiftSource) -> [Finding] {
    guard ImportTable.pure[source.directory] != nil else { return [] }
    var depth = 0
    var findings: [Finding] = []
    for (index, token) in source.tokens.enumerated() {
      if token.text == "{" { depth += 1 }
      if token.text == "}" { depth -= 1 }
      guard token.text == "var" else { continue }
      let modifiers = source.tokens[..<index].suffix(4).filter { $0.line == token.line }
      let isShared = depth == 0 || modifiers.contains { $0.text == "static" }
      let decider = source.tokens[index...].first { ["=", "{"].contains($0.text) || $0.line > token.line }
      if isShared, decider?.text != "{" {
        findings.append(source.finding(.globalVariables, line: token.line, "shared mutable state: pass it in"))
      }
    }
    return findings
  }
}
