import KeyValue
import NIOConcurrencyHelpers
import Replica

/// What one request changed, all at once: one revision.
public struct Changes: Sendable {
  public let revision: Revision
  /// Those that the watch is about, in their order.
  public let events: [Event]
}

extension KeyValueStore {
  /// The changes of a range of keys, in order, none left out and none twice, as this node comes to know them.
  ///
  /// ```swift
  /// for try await changes in store.watch(KeyRange(prefix: "config/")) {
  ///   for event in changes.events { apply(event) }
  /// }
  /// ```
  ///
  /// They are read from the store's own memory of its past, as fast as they are taken: a slow reader costs nothing. One that falls behind
  /// what the store still remembers gets the error `.keyValue(.compacted)`: read the range again, and go on from there. On another node, or
  /// after a restart, go on from the last revision that was seen, plus 1. It ends with its task, and when the node stops.
  ///
  /// - Parameters:
  ///   - range: which keys.
  ///   - revision: the first one; `nil` for all that come after this node has heard of everything that was acknowledged before.
  ///   - filter: which events are left out.
  public func watch(_ range: KeyRange, from revision: Revision? = nil, leavingOut filter: EventFilter = []) -> StoreWatch {
    StoreWatch(store: self, request: WatchRequest(range: range, startRevision: revision ?? 0, filter: filter, wantsPrevious: true))
  }

  /// A watch that has begun: what is changed from here on will be told.
  func open(_ request: WatchRequest, wake: @escaping WatchHub.Wake) async throws(StoreError) -> OpenWatch {
    do {
      // A watch that names its first revision waits for it here.
      let consistency = request.startRevision > 0 ? Consistency.serializable : .linearizable
      let view = try await node.read(consistency).view
      do {
        return try watches.open(request, in: view, wake: wake)
      } catch {
        throw StoreError.watch(error)
      }
    } catch let error as RequestError {
      throw .request(error)
    } catch let error as StoreError {
      throw error
    } catch {
      throw .request(RequestError(.stopped, outcome: .notDone))
    }
  }
}

/// The changes of a range of keys, one revision at a time; see `KeyValueStore.watch`.
public struct StoreWatch: AsyncSequence, Sendable {
  public typealias Element = Changes
  public typealias Failure = StoreError

  let store: KeyValueStore
  let request: WatchRequest

  public func makeAsyncIterator() -> Iterator { Iterator(store: store, request: request) }

  public struct Iterator: AsyncIteratorProtocol {
    /// Bytes of keys and values that are made at once.
    private static let pieceBytes = 64 << 10

    private let store: KeyValueStore
    private let request: WatchRequest
    private var watch: Reader?
    /// What was read and not taken yet, the next last.
    private var pending: [Changes] = []

    init(store: KeyValueStore, request: WatchRequest) {
      self.store = store
      self.request = request
    }

    public mutating func next(isolation actor: isolated (any Actor)?) async throws(StoreError) -> Changes? {
      if let changes = pending.popLast() { return changes }
      let reader = try await reader(isolation: actor)
      while !Task.isCancelled {
        switch reader.watch.next(bytes: Self.pieceBytes)?.answer {
        case .events(let events, _, let isIdle):
          pending = Self.grouped(events).reversed()
          if let changes = pending.popLast() { return changes }
          if isIdle { await reader.doorbell.wait() } else { await Task.yield() }
        case .compacted: throw .keyValue(.compacted)
        case .denied(let error): throw .keyValue(.access(error))
        case nil: throw .request(RequestError(.stopped, outcome: .notDone))
        }
      }
      return nil
    }

    private mutating func reader(isolation actor: isolated (any Actor)?) async throws(StoreError) -> Reader {
      if let watch { return watch }
      let doorbell = Doorbell()
      let reader = Reader(watch: try await store.open(request) { doorbell.ring() }, doorbell: doorbell)
      watch = reader
      return reader
    }

    private static func grouped(_ events: [Event]) -> [Changes] {
      events.chunked(while: { $0.modRevision == $1.modRevision }).map {
        Changes(revision: $0[$0.startIndex].modRevision, events: Array($0))
      }
    }
  }

  /// Closes the watch when nobody iterates any more.
  private final class Reader: Sendable {
    let watch: OpenWatch
    let doorbell: Doorbell

    init(watch: OpenWatch, doorbell: Doorbell) {
      self.watch = watch
      self.doorbell = doorbell
    }

    deinit { watch.close() }
  }
}

extension Array {
  fileprivate func chunked(while belongTogether: (Element, Element) -> Bool) -> [ArraySlice<Element>] {
    var chunks: [ArraySlice<Element>] = []
    var start = startIndex
    for place in indices where place > start && !belongTogether(self[place - 1], self[place]) {
      chunks.append(self[start..<place])
      start = place
    }
    if start < endIndex { chunks.append(self[start...]) }
    return chunks
  }
}

/// Rings when something has happened since one last waited; how often does not matter. One task waits at a time.
final class Doorbell: Sendable {
  private enum State {
    case silent
    case rung
    case awaited(CheckedContinuation<Void, Never>)
  }

  private let state = NIOLockedValueBox(State.silent)

  func ring() {
    let waiter = state.withLockedValue { state -> CheckedContinuation<Void, Never>? in
      if case .awaited(let waiter) = state {
        state = .silent
        return waiter
      }
      state = .rung
      return nil
    }
    waiter?.resume()
  }

  /// Returns also when the task is cancelled.
  func wait() async {
    await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let returns = state.withLockedValue { state -> Bool in
          if case .rung = state {
            state = .silent
            return true
          }
          state = .awaited(continuation)
          return false
        }
        if returns { continuation.resume() }
      }
    } onCancel: {
      ring()
    }
  }
}
