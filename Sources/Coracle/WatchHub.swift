import KeyValue
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import Replica

/// The watches on one node's store. What is decided about them is `Watchers`; this gives it the newest view, on a thread of its own, so
/// that neither the replica nor a watcher waits for another. As long as nobody watches, it looks at nothing.
package final class WatchHub: Sendable {
  /// Called on any thread, at once and briefly, when there is something to read and there was nothing before.
  package typealias Wake = @Sendable () -> Void

  private struct State {
    var watchers: Watchers?
    var wakes: [Watchers.ID: Wake] = [:]
    var isStopped = false
    var endObserving: (@Sendable () -> Void)?
  }

  /// What the replica's thread leaves here; a lock of its own, so that it never waits for what is done under the other.
  private struct Arrival {
    var newest: KeyValueView?
    var isAdvancing = false
    var isWanted = false
  }

  /// Changes, watchers and nodes of the index that are looked at while others wait for the lock: less than a millisecond.
  private static let workAtOnce = 4096

  private let node: Node<KeyValueMachine>
  private let limit: Int
  private let eventLoop = MultiThreadedEventLoopGroup.singleton.any()
  private let state = NIOLockedValueBox(State())
  private let arrival = NIOLockedValueBox(Arrival())

  /// - Parameter limit: most watches at a time.
  package init(_ node: Node<KeyValueMachine>, limit: Int = Limits.watchers) {
    self.node = node
    self.limit = limit
  }

  /// How many watches there are.
  package var count: Int { state.withLockedValue { $0.watchers?.count ?? 0 } }

  /// A new watch. One that names no revision begins after what the view holds.
  ///
  /// - Parameters:
  ///   - view: of this node, a moment ago.
  ///   - wake: not called before `next` has said that there is nothing more for now.
  package func open(_ request: WatchRequest, in view: KeyValueView, wake: @escaping Wake) throws(WatchError) -> OpenWatch {
    var request = request
    if request.startRevision == 0 { request.startRevision = view.revision + 1 }
    let opened = state.withLockedValue { state -> Result<(Watchers.ID, observes: Bool), WatchError> in
      let isFirst = state.watchers == nil
      var watchers = state.watchers.take() ?? Watchers(view, limit: limit)
      defer { if watchers.count > 0 { state.watchers = watchers } }
      do throws(WatchError) {
        let (id, _) = try watchers.add(request, in: view)
        state.wakes[id] = wake
        return .success((id, isFirst))
      } catch {
        return .failure(error)
      }
    }
    let (id, observes) = try opened.get()
    if observes { observe() }
    return OpenWatch(hub: self, id: id, start: request.startRevision)
  }

  private func observe() {
    arrival.withLockedValue { $0.isWanted = true }
    let end = node.observe { [weak self] view in
      if let view { self?.show(view) } else { self?.stop() }
    }
    let before = state.withLockedValue { state -> (@Sendable () -> Void)? in
      defer { state.endObserving = end }
      return state.endObserving
    }
    before?()
  }

  // MARK: The store goes on

  private func show(_ view: KeyValueView) {
    let begins = arrival.withLockedValue { arrival -> Bool in
      guard arrival.isWanted else { return false }
      arrival.newest = view
      defer { arrival.isAdvancing = true }
      return !arrival.isAdvancing
    }
    if begins { eventLoop.execute { self.advance() } }
  }

  private func advance() {
    let newest = arrival.withLockedValue { arrival in arrival.newest.take() }
    let (wakes, isFinished) = state.withLockedValue { state -> ([Wake], Bool) in
      guard var watchers = state.watchers.take() else { return ([], true) }
      defer { state.watchers = watchers }
      var work = Self.workAtOnce
      let isFinished = watchers.advance(to: newest ?? watchers.view, work: &work)
      var wakes: [Wake] = []
      while let id = watchers.nextReady() { if let wake = state.wakes[id] { wakes.append(wake) } }
      return (wakes, isFinished)
    }
    for wake in wakes { wake() }
    let goesOn = arrival.withLockedValue { arrival in
      arrival.isAdvancing = !isFinished || arrival.newest != nil
      return arrival.isAdvancing
    }
    // A little later, so that the loop looks after what else it has.
    if goesOn { eventLoop.scheduleTask(in: .microseconds(50)) { self.advance() } }
  }

  private func stop() {
    let wakes = state.withLockedValue { state in
      state.isStopped = true
      return Array(state.wakes.values)
    }
    for wake in wakes { wake() }
  }

  // MARK: Reading

  fileprivate func next(_ id: Watchers.ID, bytes: Int) -> (answer: WatchAnswer, revision: Revision)? {
    let found = state.withLockedValue { state -> (WatchReader, KeyValueView)? in
      guard !state.isStopped, let watchers = state.watchers else { return nil }
      return watchers.reader(of: id).map { ($0, watchers.view) }
    }
    guard let (reader, view) = found else { return nil }
    var work = Self.workAtOnce
    do throws(KeyValueError) {
      let piece = try reader.read(view, bytes: bytes, work: &work)
      let isIdle = state.withLockedValue { $0.watchers?.commit(id, piece) ?? true }
      return (.events(piece.events, isFragment: piece.isFragment, isIdle: isIdle), view.revision)
    } catch {
      close(id)
      if case .access(let error) = error { return (.denied(error), view.revision) }
      return (.compacted(view.firstEventRevision), view.revision)
    }
  }

  fileprivate func close(_ id: Watchers.ID) {
    let end = state.withLockedValue { state -> (@Sendable () -> Void)? in
      state.watchers?.remove(id)
      state.wakes[id] = nil
      guard state.watchers?.count == 0 else { return nil }
      // Views that nobody looks at any more are not kept.
      state.watchers = nil
      arrival.withLockedValue { arrival in
        arrival.newest = nil
        arrival.isWanted = false
      }
      return state.endObserving.take()
    }
    end?()
  }

  fileprivate func progress(of id: Watchers.ID) -> Revision? { state.withLockedValue { $0.watchers?.progress(of: id) } }

  fileprivate var view: KeyValueView? { state.withLockedValue { $0.watchers?.view } }
}

/// One watch, read at its owner's pace: nothing is queued for it. One thread at a time reads it.
package struct OpenWatch: Sendable {
  fileprivate let hub: WatchHub
  fileprivate let id: Watchers.ID
  /// The first revision whose events are told.
  package let start: Revision

  /// What comes next, and the revision of the state that it was read from; `nil` once the node stops, or the watch is closed. If it is
  /// idle, `wake` is called when there is more; otherwise read again.
  ///
  /// - Parameter bytes: of keys and values after which a piece ends; the last revision in it is whole all the same, unless it may be split.
  package func next(bytes: Int) -> (answer: WatchAnswer, revision: Revision)? { hub.next(id, bytes: bytes) }

  /// The revision that it has seen everything up to; `nil` while there is something to read.
  package var progress: Revision? { hub.progress(of: id) }

  /// The newest state that it can be read from.
  package var view: KeyValueView? { hub.view }

  package func close() { hub.close(id) }
}
