import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import Raft
import Replica
import WriteAheadLog

/// Writes the log on a thread of its own, so that a disk that stalls does not stop heartbeats. What waits becomes one write and one sync.
final class LogWorker<Storage: Disk & Sendable>: Sendable {
  enum Report: Equatable, Sendable {
    case done(LogReport)
    /// The last report: nothing more will be written.
    case failed(String)
  }

  private struct Inbox {
    var queue = LogQueue()
    /// The thread is at work, or about to be.
    var isAwake = false
    /// Nothing more is taken.
    var isClosed = false
  }

  private let thread: NIOThreadPool
  private let metrics: NodeMetrics
  private let pulse: NodePulse
  private let logger: Logger
  private let report: @Sendable (Report) -> Void
  private let inbox = NIOLockedValueBox(Inbox())
  /// Belongs to the thread; the lock is never waited for.
  private let files: NIOLockedValueBox<LogFiles<Storage>>

  /// `thread` must have one thread.
  init(
    files: LogFiles<Storage>, thread: NIOThreadPool, metrics: NodeMetrics, pulse: NodePulse = NodePulse(), logger: Logger,
    report: @escaping @Sendable (Report) -> Void
  ) {
    self.files = NIOLockedValueBox(files)
    self.thread = thread
    self.metrics = metrics
    self.pulse = pulse
    self.logger = logger
    self.report = report
  }

  /// What one turn of the replica asks for: see `LogQueue`.
  func submit(identity: IdentityRecord?, writes: [LogWrite], compact: LogIndex?, reads: [EntriesRequest] = []) {
    let mustWake = inbox.withLockedValue { inbox in
      guard !inbox.isClosed else { return false }
      inbox.queue.add(identity: identity, writes: writes, compact: compact, reads: reads)
      metrics.logQueueBytes.record(inbox.queue.bytes)
      guard !inbox.queue.isEmpty else { return false }
      defer { inbox.isAwake = true }
      return !inbox.isAwake
    }
    if mustWake { thread.submit { if $0 == .active { self.drain() } } }
  }

  /// Writes what waits and closes the log; then calls back, on the log's thread.
  func close(_ done: @escaping @Sendable () -> Void) {
    inbox.withLockedValue { $0.isClosed = true }
    thread.submit { _ in
      self.files.withLockedValue { $0.close() }
      done()
    }
  }

  private func drain() {
    files.withLockedValue { files in
      pulse.logBegan()
      defer { pulse.logEnded() }
      var writing = NIODeadline.now()
      var lacksRoom = false
      while let step = next() {
        do throws(StorageError) {
          if case .append = step, !lacksRoom { writing = .now() }
          let result = try files.perform(step)
          finish(step, after: .now() - writing)
          if let result { report(.done(result)) }
          if lacksRoom, step.needsRoom {
            logger.notice("there is room again: writes go on")
            lacksRoom = false
          }
          if !lacksRoom { pulse.logBegan() }
        } catch {
          guard case .full = error else {
            inbox.withLockedValue { $0.isClosed = true }
            return report(.failed(error.description))
          }
          if !lacksRoom { logger.error("\(error.shortage): writes wait until there is room", metadata: ["error": "\(error)"]) }
          lacksRoom = true
          let (shortage, isClosed) = inbox.withLockedValue { ($0.queue.foundNoRoom(for: step), $0.isClosed) }
          if isClosed { return }
          if shortage == .wait { sleepThread(LogQueue.pause) }
        }
      }
    }
  }

  /// The thread rests when there is nothing to do.
  private func next() -> LogQueue.Step? {
    inbox.withLockedValue { inbox in
      let step = inbox.queue.next()
      if step == nil { inbox.isAwake = false }
      return step
    }
  }

  private func finish(_ step: LogQueue.Step, after elapsed: TimeAmount) {
    inbox.withLockedValue { inbox in
      if case .sync = step {
        metrics.syncDuration.recordNanoseconds(elapsed.nanoseconds)
        metrics.writesPerSync.record(inbox.queue.writesUnderWay)
      }
      inbox.queue.finish(step)
      metrics.logQueueBytes.record(inbox.queue.bytes)
    }
  }
}

extension LogQueue.Step {
  fileprivate var needsRoom: Bool {
    switch self {
    case .save, .append: true
    case .sync, .compact, .read: false
    }
  }
}

extension StorageError {
  /// What is short, in words.
  fileprivate var shortage: String {
    if case .full(let error) = self, error.reason == .tooManyFiles { "too many files are open" } else { "the disk is full" }
  }
}
