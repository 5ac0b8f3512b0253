import NIOConcurrencyHelpers
import NIOCore
import NIOPosix

/// The threads of one node, and their end.
final class NodeThreads: Sendable {
  let eventLoop: any EventLoop
  let log = NIOThreadPool(numberOfThreads: 1)
  /// Saves, receives and restores snapshots.
  let snapshots = NIOThreadPool(numberOfThreads: 1)
  /// Reads snapshots for peers.
  let snapshotsForPeers = NIOThreadPool(numberOfThreads: 1)
  private let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
  private let isShutDown = NIOLockedValueBox(false)

  init() {
    eventLoop = group.next()
    log.start()
    snapshots.start()
    snapshotsForPeers.start()
  }

  /// Runs the work on the event loop, unless that has ended: then false.
  @discardableResult
  func onLoop(_ work: @escaping @Sendable () -> Void) -> Bool {
    // Under the lock, so that the loop does not end in between.
    isShutDown.withLockedValue { isShutDown in
      if !isShutDown { eventLoop.execute(work) }
      return !isShutDown
    }
  }

  /// Returns at once if another call began.
  func shutdown() async {
    let mustShutDown = isShutDown.withLockedValue { isShutDown in
      defer { isShutDown = true }
      return !isShutDown
    }
    guard mustShutDown else { return }
    // They fail only if they were shut down before.
    try? await group.shutdownGracefully()
    try? await log.shutdownGracefully()
    try? await snapshots.shutdownGracefully()
    try? await snapshotsForPeers.shutdownGracefully()
  }
}
