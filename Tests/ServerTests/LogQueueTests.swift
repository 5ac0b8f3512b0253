import Foundation
import Logging
import Testing

@testable import Server

@Suite(.timeLimit(.minutes(10))) struct LogQueueTests {
  /// A pipe with as little room as the system lets it have, and what has come out of it.
  private final class Pipe {
    let (reading, writing): (Int32, Int32)

    init() {
      var descriptors: [Int32] = [0, 0]
      _ = pipe(&descriptors)
      (reading, writing) = (descriptors[0], descriptors[1])
    }

    deinit {
      close(reading)
      close(writing)
    }

    /// What has come, if anything comes within a moment.
    func readSome() -> String {
      var readiness = pollfd(fd: reading, events: Int16(POLLIN), revents: 0)
      guard poll(&readiness, 1, 20) == 1 else { return "" }
      var buffer = [UInt8](repeating: 0, count: 65_536)
      return String(decoding: buffer[..<max(0, Foundation.read(reading, &buffer, buffer.count))], as: UTF8.self)
    }

    /// Reads until the text comes; what came by then.
    func read(until text: String) -> String {
      var received: [UInt8] = []
      var buffer = [UInt8](repeating: 0, count: 65_536)
      while !String(decoding: received, as: UTF8.self).contains(text) {
        let count = Foundation.read(reading, &buffer, buffer.count)
        guard count > 0 else { break }
        received += buffer[..<count]
      }
      return String(decoding: received, as: UTF8.self)
    }
  }

  @Test func linesComeInTheirOrder() {
    let pipe = Pipe()
    let queue = LogQueue(descriptor: pipe.writing)
    for number in 0..<100 { queue.write("line \(number)\n") }
    #expect(pipe.read(until: "line 99\n") == (0..<100).map { "line \($0)\n" }.joined())
    #expect(queue.drain(within: 5))
  }

  @Test func aReaderThatStallsHoldsUpNobodyAndLearnsWhatItMissed() async throws {
    let pipe = Pipe()
    let queue = LogQueue(descriptor: pipe.writing, limits: .init(lines: 100, bytes: 1 << 20, lineBytes: 16 << 10))
    let line = String(repeating: "x", count: 1000)
    let logger = Logger(label: "test") { queue.handler($0) }
    // Ten times what pipe and queue hold together.
    for _ in 0..<3000 { logger.info("\(line)") }
    #expect(queue.droppedCount > 0)
    #expect(!queue.drain(within: 0.05), "the end of the process waits no longer than it must")
    var text = ""
    while queue.droppedCount > 0 || !queue.drain(within: 0) { text += pipe.readSome() }
    while case let rest = pipe.readSome(), !rest.isEmpty { text += rest }
    let lines = text.split(separator: "\n")
    let said = lines.filter { $0.contains(" lines dropped: ") }
    #expect(!said.isEmpty && said.allSatisfy { $0.contains("warning") })
    let dropped = said.compactMap { $0.firstMatch(of: /(\d+) lines dropped/).flatMap { Int($0.1) } }.reduce(0, +)
    #expect(dropped > 2500)
    #expect(lines.filter { $0.hasSuffix(line) }.count + dropped == 3000, "each line is there or counted")
  }

  @Test func whoeverIsGoneIsNoTrouble() {
    signal(SIGPIPE, SIG_IGN)
    var descriptors: [Int32] = [0, 0]
    _ = pipe(&descriptors)
    close(descriptors[0])
    let queue = LogQueue(descriptor: descriptors[1])
    for _ in 0..<100 { queue.write("nobody reads this\n") }
    #expect(queue.drain(within: 5))
    #expect(queue.droppedCount == 100)
    close(descriptors[1])
  }

  @Test func longLinesAreCut() {
    let pipe = Pipe()
    let queue = LogQueue(descriptor: pipe.writing, limits: .init(lines: 10, bytes: 1000, lineBytes: 10))
    queue.write(String(repeating: "a", count: 100) + "\n")
    queue.write("b\n")
    #expect(pipe.read(until: "b\n") == "aaaaaaaaaa\nb\n")
  }
}
