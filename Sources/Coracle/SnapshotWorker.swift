import NIOConcurrencyHelpers
import NIOPosix
import Raft
import Replica
import WriteAheadLog

/// The two threads that work on snapshots: what is read for peers does not wait until a large snapshot is written.
struct SnapshotWorkers<Machine: StateMachine, Storage: Disk & Sendable>: Sendable {
  let writing: SnapshotWorker<Machine, Storage>
  let reading: SnapshotWorker<Machine, Storage>

  func submit(_ work: SnapshotWork<Machine>, cluster: ClusterID) {
    (work.isForPeers ? reading : writing).submit(work, cluster: cluster)
  }

  /// As for one.
  func close(_ done: @escaping @Sendable () -> Void) {
    writing.close { [reading] in reading.close(done) }
  }
}

/// Works on snapshot files on a thread of its own, one piece of work after the other: they are long, and neither the log nor the replica
/// waits for them.
final class SnapshotWorker<Machine: StateMachine, Storage: Disk & Sendable>: Sendable {
  private let thread: NIOThreadPool
  private let report: @Sendable (ReplicaEvent<Machine>) -> Void
  /// Belongs to the thread; the lock is never waited for.
  private let files: NIOLockedValueBox<SnapshotFiles<Machine, Storage>>

  /// `thread` must have one thread.
  init(files: SnapshotFiles<Machine, Storage>, thread: NIOThreadPool, report: @escaping @Sendable (ReplicaEvent<Machine>) -> Void) {
    self.files = NIOLockedValueBox(files)
    self.thread = thread
    self.report = report
  }

  /// Does the work and reports its event. Bounded by the replica, which has few pieces under way.
  func submit(_ work: SnapshotWork<Machine>, cluster: ClusterID) {
    thread.submit { condition in
      guard condition == .active else { return }
      self.report(self.files.withLockedValue { $0.perform(work, cluster: cluster) })
    }
  }

  /// Closes files after all work that was submitted; then calls back, on the thread.
  func close(_ done: @escaping @Sendable () -> Void) {
    thread.submit { _ in
      self.files.withLockedValue { $0.close() }
      done()
    }
  }
}
