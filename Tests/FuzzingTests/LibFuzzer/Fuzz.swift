import Foundation

/// libFuzzer's loop, which is linked by `-sanitize=fuzzer`.
@_silgen_name("LLVMFuzzerRunDriver")
private func runFuzzer(
  _ count: UnsafeMutablePointer<CInt>, _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>>,
  _ body: @convention(c) (UnsafePointer<UInt8>?, Int) -> CInt
) -> CInt

/// `fuzz list` prints the names of the targets, `fuzz seeds DIRECTORY` writes their seeds; otherwise the variable `FUZZ_TARGET` names the
/// target, and the arguments are libFuzzer's.
@main
enum Fuzz {
  private static let target = FuzzTarget.all.first { $0.name == ProcessInfo.processInfo.environment["FUZZ_TARGET"] }

  static func main() throws {
    switch CommandLine.arguments.dropFirst().first {
    case "list": for target in FuzzTarget.all { print(target.name) }
    case "seeds": try writeSeeds(to: URL(filePath: CommandLine.arguments[2]))
    default: fuzz()
    }
  }

  private static func writeSeeds(to directory: URL) throws {
    for target in FuzzTarget.all {
      let folder = directory.appending(path: target.name)
      try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
      for (number, seed) in try target.seeds().enumerated() { try Data(seed).write(to: folder.appending(path: "seed-\(number)")) }
    }
  }

  private static func fuzz() {
    guard target != nil else { fatalError("FUZZ_TARGET names no target: `fuzz list` does") }
    var count = CommandLine.argc
    var arguments = CommandLine.unsafeArgv
    exit(
      runFuzzer(&count, &arguments) { data, size in
        do {
          _ = try Fuzz.target?.run([UInt8](UnsafeBufferPointer(start: data, count: size)))
        } catch {
          fatalError("\(error)")
        }
        return 0
      })
  }
}
