import Foundation
import Logging
import Metrics
import NIOConcurrencyHelpers

/// Lines on their way to the log. A writer never waits for the reader: a thread writes the lines, and beyond a bound they are
/// dropped and counted, which the log says as soon as it is read again.
final class LogQueue: TextOutputStream, Sendable {
  struct Limits {
    /// Most lines, and most bytes of them, that wait; as many may be on their way to the system at the same time.
    var lines = 8192
    var bytes = 1 << 20
    /// A longer line is cut.
    var lineBytes = 16 << 10
  }

  private struct State {
    var waiting: [[UInt8]] = []
    var bytes = 0
    var isWriting = false
    /// Since the log last said so.
    var dropped = 0
    var isClosed = false
  }

  private let descriptor: Int32
  private let limits: Limits
  private let state = NIOLockedValueBox(State())
  private let wakeUp = DispatchSemaphore(value: 0)
  private let dropCounter = Counter(label: "coracle_log_lines_dropped_total")

  /// - Parameter descriptor: Where the lines go; may be one that blocks, or one that does not.
  init(descriptor: Int32, limits: Limits = Limits()) {
    self.descriptor = descriptor
    self.limits = limits
    let thread = Thread { [weak self, wakeUp] in
      while true {
        wakeUp.wait()
        guard let self, self.writeWaiting() else { return }
      }
    }
    thread.name = "coracle-log"
    thread.start()
  }

  deinit { wakeUp.signal() }

  /// The log handler of a label.
  func handler(_ label: String) -> StreamLogHandler { StreamLogHandler(label: label, stream: self) }

  /// Lines that were dropped, and of which the log does not say so yet.
  var droppedCount: Int { state.withLockedValue { $0.dropped } }

  func write(_ text: String) {
    var line = Array(text.utf8.prefix(limits.lineBytes))
    if line.last != UInt8(ascii: "\n") { line.append(UInt8(ascii: "\n")) }
    let wasTaken = state.withLockedValue { state in
      guard state.waiting.count < limits.lines, state.bytes + line.count <= limits.bytes else {
        state.dropped += 1
        return false
      }
      state.waiting.append(line)
      state.bytes += line.count
      return true
    }
    if wasTaken { wakeUp.signal() } else { dropCounter.increment() }
  }

  /// Waits until all lines are written, but not longer than that: whether they are. For the end of the process.
  @discardableResult
  func drain(within seconds: Double) -> Bool {
    let end = ContinuousClock.now + .seconds(seconds)
    while true {
      if state.withLockedValue({ $0.waiting.isEmpty && !$0.isWriting }) { return true }
      if ContinuousClock.now >= end { return false }
      usleep(2000)
    }
  }

  /// On the thread. False when there is nobody left to write for.
  private func writeWaiting() -> Bool {
    let (lines, dropped) = state.withLockedValue { state in
      defer {
        state.waiting = []
        state.bytes = 0
      }
      state.isWriting = !state.waiting.isEmpty
      return (state.waiting, state.dropped)
    }
    guard !lines.isEmpty else { return true }
    let wasWritten = writeAll(Array(lines.joined()))
    if !wasWritten { dropCounter.increment(by: lines.count) }
    // Not after a failure: the line that says so would fail as well.
    let wasTold = wasWritten && dropped > 0 && tell(dropped)
    state.withLockedValue { state in
      state.dropped += (wasWritten ? 0 : lines.count) - (wasTold ? dropped : 0)
      state.isWriting = false
    }
    return true
  }

  /// Past the queue, which may be full again.
  private func tell(_ dropped: Int) -> Bool {
    let direct = DirectStream(queue: self)
    Logger(label: "coracle") { StreamLogHandler(label: $0, stream: direct) }
      .warning("\(dropped) lines dropped: the reader of the log was too slow")
    return direct.wasWritten.withLockedValue { $0 }
  }

  private struct DirectStream: TextOutputStream, Sendable {
    let queue: LogQueue
    let wasWritten = NIOLockedValueBox(false)

    func write(_ text: String) { wasWritten.withLockedValue { $0 = queue.writeAll(Array(text.utf8)) } }
  }

  private func writeAll(_ bytes: [UInt8]) -> Bool {
    var written = 0
    while written < bytes.count {
      let result = bytes.withUnsafeBytes { Foundation.write(descriptor, $0.baseAddress! + written, $0.count - written) }
      if result > 0 {
        written += result
      } else if errno == EAGAIN {
        var readiness = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        _ = poll(&readiness, 1, -1)
      } else if errno != EINTR {
        return false
      }
    }
    return true
  }
}
