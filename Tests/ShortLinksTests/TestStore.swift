import KeyValue
import ShortLinks
import StoreModel
import Synchronization

/// A model of the store behind a switch for its faults.
final class TestStore: LinkStore {
  enum Mode: Sendable {
    case sound
    /// No quorum: only this node's state, as it was, can be read.
    case noQuorum
    case busy
    /// Changes are made, or not, but nobody is told.
    case silent(done: Bool)
  }

  private struct State {
    var mode = Mode.sound
    var store = ModelStore()
    /// What this node has heard of.
    var local = ModelStore()
  }

  private let state = Mutex(State())

  func set(_ mode: Mode) { state.withLock { $0.mode = mode } }

  /// A change made through another node; this one hears of it with the next change of its own.
  func changeElsewhere(_ request: Request) { state.withLock { _ = $0.store.perform(request) } }

  var pairs: [KeyValuePair] { state.withLock { $0.store.pairs } }

  func perform(_ request: Request) async throws(LinkStoreError) -> Answer {
    try state.withLock { (state) throws(LinkStoreError) in
      switch state.mode {
      case .sound:
        defer { state.local = state.store }
        return state.store.perform(request)
      case .noQuorum: throw .unavailable
      case .busy: throw .busy
      case .silent(let done):
        if done { _ = state.store.perform(request) }
        throw .outcomeUnknown
      }
    }
  }

  func read(_ request: RangeRequest, allowStale: Bool) async throws(LinkStoreError) -> StoreReading {
    try state.withLock { (state) throws(LinkStoreError) in
      if case .sound = state.mode {
        if !allowStale { state.local = state.store }
        return StoreReading(answer: state.local.read(request), isStale: false)
      }
      guard allowStale else { throw .unavailable }
      return StoreReading(answer: state.local.read(request), isStale: true)
    }
  }
}
