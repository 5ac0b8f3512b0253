import KeyValue
import Links
import Logging
import ServiceLifecycle
import Synchronization

/// Takes visits from redirects, which never wait, and brings them to the store every so often, and once more at a graceful stop.
final class VisitFlusher<Store: LinkStore>: Service {
  /// Flushes at a graceful stop, before the visits that are left are given up.
  static var lastAttempts: Int { 5 }

  private let store: Store
  private let interval: Duration
  private let logger: Logger
  private let counter: Mutex<VisitCounter>

  init(store: Store, counter: VisitCounter, interval: Duration, logger: Logger) {
    self.store = store
    self.interval = interval
    self.logger = logger
    self.counter = Mutex(counter)
  }

  struct Tally: Hashable, Sendable {
    var waiting: UInt64
    var committed: UInt64
    var dropped: UInt64
  }

  var tally: Tally {
    counter.withLock { Tally(waiting: $0.waiting, committed: $0.committed, dropped: $0.dropped) }
  }

  func record(_ link: LinkIdentity) {
    counter.withLock { $0.record(link) }
  }

  func run() async throws {
    while !Task.isShuttingDownGracefully, !Task.isCancelled {
      await pause()
      await flush()
    }
    for _ in 0..<Self.lastAttempts where tally.waiting > 0 && !Task.isCancelled {
      try? await Task.sleep(for: interval)
      await flush()
    }
    let lost = tally.waiting
    if lost > 0 { logger.warning("visits were lost: the store could not be reached before the end", metadata: ["visits": "\(lost)"]) }
  }

  /// Ends early when the service is to stop; the flush that follows is not cut short.
  private func pause() async {
    try? await cancelWhenGracefulShutdown { [interval] in try await Task.sleep(for: interval) }
  }

  /// Goes on until nothing waits or the store does not answer: then the next flush begins where this one stopped.
  private func flush() async {
    while let request = counter.withLock({ $0.nextRequest() }) {
      do {
        let answer = try await store.perform(request)
        try counter.withLock { (counter) throws(LinkError) in try counter.receive(answer) }
      } catch LinkStoreError.outcomeUnknown {
        return counter.withLock { $0.outcomeUnknown() }
      } catch LinkStoreError.refused(let error) {
        logger.error("the store refused to count visits", metadata: ["error": "\(error)"])
        counter.withLock { $0.refused() }
      } catch {
        logger.debug("visits wait", metadata: ["error": "\(error)"])
        return
      }
    }
  }
}
