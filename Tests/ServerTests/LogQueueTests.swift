import Foundation
import Logging
import Testing

@testable import Server

@Suite struct LogQueueTests {
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
    let elapsed = ContinuousClock().measure {
      for _ in 0..<3000 { logger.info("\(line)") }
    }
    #expect(elapsed < .seconds(5))
    #expect(queue.droppedCount > 2500)
    #expect(!queue.drain(within: 0.05), "the end of the process waits no longer than it must")
    let text = pipe.read(until: " lines dropped")
    let said = try #require(text.split(separator: "\n").last { $0.contains("lines dropped") })
    #expect(said.contains("warning"))
    let number = try #require(said.split(separator: " ").compactMap { Int($0) }.last)
    #expect(number > 2500)
    let whole = text.split(separator: "\n").filter { $0.hasSuffix(line) }.count
    #expect(whole + number <= 3000 && whole + number >= 2900)
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
