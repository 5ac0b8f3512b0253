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
    case identitySaved
    case written(through: UInt64)
    case read(EntriesRequest, Result<LogPiece, StorageError>)
    /// The last report: nothing more will be written.
    case failed(String)
  }

  /// What waits for the thread. Bounded by the replica: by the bytes it lets be uncommitted, and those it lets be under way to it.
  private struct Inbox {
    var identity: IdentityRecord?
    var writes: [LogWrite] = []
    var cut: LogIndex?
    /// One for each peer at most.
    var reads: [EntriesRequest] = []
    var bytes = 0
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

  /// How long to wait for room on a full disk before trying again.
  private let fullDiskPause = Nanoseconds.milliseconds(200)

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

  /// Makes the identity durable first, then the writes in order, then cuts, then reads.
  func submit(identity: IdentityRecord?, writes: [LogWrite], cut: LogIndex?, reads: [EntriesRequest] = []) {
    let bytes = writes.reduce(0) { $0 + $1.entries.reduce(0) { $0 + $1.record.count } }
    let mustWake = inbox.withLockedValue { inbox in
      guard !inbox.isClosed else { return false }
      if let identity { inbox.identity = identity }
      inbox.writes.append(contentsOf: writes)
      if let cut { inbox.cut = max(inbox.cut ?? 0, cut) }
      inbox.reads += reads
      inbox.bytes += bytes
      metrics.logQueueBytes.record(inbox.bytes)
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
      defer { pulse.logEnded() }
      while let work = take() {
        pulse.logBegan()
        do throws(StorageError) {
          try perform(work, &files)
        } catch {
          inbox.withLockedValue { $0.isClosed = true }
          return report(.failed(error.description))
        }
      }
    }
  }

  private func take() -> Inbox? {
    inbox.withLockedValue { inbox in
      guard inbox.identity != nil || !inbox.writes.isEmpty || inbox.cut != nil || !inbox.reads.isEmpty else {
        inbox.isAwake = false
        return nil
      }
      metrics.logQueueBytes.record(0)
      defer { inbox = Inbox(isAwake: true, isClosed: inbox.isClosed) }
      return inbox
    }
  }

  private func perform(_ work: Inbox, _ files: inout LogFiles<Storage>) throws(StorageError) {
    if let identity = work.identity {
      guard try makeRoom(&files, for: { files throws(StorageError) in try files.save(identity) }) else { return }
      report(.identitySaved)
    }
    if let last = work.writes.last {
      let start = NIODeadline.now()
      guard try makeRoom(&files, for: { files throws(StorageError) in try files.append(work.writes) }) else { return }
      try files.sync()
      metrics.syncDuration.recordNanoseconds((NIODeadline.now() - start).nanoseconds)
      metrics.writesPerSync.record(work.writes.count)
      report(.written(through: last.sequence))
    }
    if let cut = work.cut { try files.cut(through: cut) }
    for request in work.reads { report(.read(request, files.read(request))) }
  }

  /// A full disk is a state, not a failure: waits for room, and makes what room it may. False if the node stopped meanwhile.
  private func makeRoom(
    _ files: inout LogFiles<Storage>, for work: (inout LogFiles<Storage>) throws(StorageError) -> Void
  ) throws(StorageError) -> Bool {
    var hasWarned = false
    while true {
      do throws(StorageError) {
        try work(&files)
        if hasWarned { logger.notice("there is room again: writes go on") }
        return true
      } catch {
        guard case .full = error else { throw error }
        if !hasWarned { logger.error("\(error.shortage): writes wait until there is room", metadata: ["error": "\(error)"]) }
        hasWarned = true
      }
      let (cut, isClosed) = inbox.withLockedValue { inbox in
        defer { inbox.cut = nil }
        return (inbox.cut, inbox.isClosed)
      }
      if isClosed { return false }
      if let cut { try files.cut(through: cut) } else { sleepThread(fullDiskPause) }
    }
  }
}

extension StorageError {
  /// What is short, in words.
  fileprivate var shortage: String {
    if case .full(let error) = self, error.reason == .tooManyFiles { "too many files are open" } else { "the disk is full" }
  }
}
