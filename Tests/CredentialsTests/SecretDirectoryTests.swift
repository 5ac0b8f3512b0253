import Foundation
import Testing

@testable import Credentials

@Suite struct SecretDirectoryTests {
  private func withDirectory(_ body: (SecretDirectory) throws -> Void) throws {
    let parent = FileManager.default.temporaryDirectory.appendingPathComponent("coracle-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: parent, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: parent) }
    try body(SecretDirectory(path: parent + "/secrets"))
  }

  private func mode(_ path: String) throws -> Int {
    (try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? NSNumber)?.intValue ?? -1
  }

  private func setMode(_ mode: Int, _ path: String) throws {
    try FileManager.default.setAttributes([.posixPermissions: NSNumber(value: mode)], ofItemAtPath: path)
  }

  private func fault(_ body: () throws -> Void) -> SecretFileError? {
    do { try body() } catch { return error as? SecretFileError }
    return nil
  }

  @Test func keepsWhatItIsGivenFromOthers() throws {
    try withDirectory { directory in
      #expect(try directory.read("a") == nil)
      try directory.write("a", [1, 2, 3])
      #expect(try directory.read("a") == [1, 2, 3])
      #expect(try mode(directory.path) == 0o700)
      #expect(try mode(directory.path + "/a") == 0o600)
      try directory.write("a", [])
      #expect(try directory.read("a") == [])
      #expect(try FileManager.default.contentsOfDirectory(atPath: directory.path) == ["a"], "nothing is left lying about")
      try directory.remove("a")
      try directory.remove("a")
      #expect(try directory.read("a") == nil)
    }
  }

  @Test(arguments: [0o640, 0o604, 0o620, 0o601, 0o660, 0o666]) func aFileThatOthersMayOpenIsRefused(mode: Int) throws {
    try withDirectory { directory in
      try directory.write("a", [1])
      try setMode(mode, directory.path + "/a")
      let fault = fault { _ = try directory.read("a") }
      #expect(fault == .openToOthers(directory.path + "/a", mode: "600"))
      #expect("\(fault as Any)".contains("chmod 600 \(directory.path)/a"))
    }
  }

  @Test(arguments: [0o750, 0o705, 0o777]) func soIsADirectory(mode: Int) throws {
    try withDirectory { directory in
      try directory.write("a", [1])
      try setMode(mode, directory.path)
      let faults = [fault { _ = try directory.read("a") }, fault { try directory.write("a", [2]) }, fault { try directory.create() }]
      #expect(faults == Array(repeating: .openToOthers(directory.path, mode: "700"), count: 3))
      #expect("\(faults[0] as Any)".contains("chmod 700 \(directory.path)"))
    }
  }

  @Test(.enabled(if: geteuid() == 0, "only root can give files away")) func whatAnotherOwnsIsRefused() throws {
    try withDirectory { directory in
      try directory.write("a", [1])
      #expect(chown(directory.path + "/a", 12345, 12345) == 0)
      #expect(fault { _ = try directory.read("a") } == .ofAnotherUser(directory.path + "/a"))
      #expect(chown(directory.path, 12345, 12345) == 0)
      #expect(fault { _ = try directory.read("a") } == .ofAnotherUser(directory.path))
    }
  }

  @Test func aLinkIsNotFollowed() throws {
    try withDirectory { directory in
      try directory.write("a", [1])
      let link = directory.path + "/b"
      try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: directory.path + "/a")
      guard case .system("open", link, ELOOP) = fault({ _ = try directory.read("b") }) else {
        Issue.record("a link was read")
        return
      }
      // What is written takes its place, and leaves alone what it led to.
      try directory.write("b", [2])
      #expect(try directory.read("a") == [1])
      let other = SecretDirectory(path: directory.path + "-link")
      try FileManager.default.createSymbolicLink(atPath: other.path, withDestinationPath: directory.path)
      #expect(fault { _ = try other.read("a") } != nil)
    }
  }

  @Test func whatIsTooLargeIsNotRead() throws {
    try withDirectory { directory in
      try directory.write("a", [UInt8](repeating: 1, count: SecretDirectory.maximumFileSize))
      #expect(try directory.read("a")?.count == SecretDirectory.maximumFileSize)
      try directory.write("a", [UInt8](repeating: 1, count: SecretDirectory.maximumFileSize + 1))
      #expect(fault { _ = try directory.read("a") } == .tooLarge(directory.path + "/a"))
    }
  }
}
