import KeyValue
import LocalStore
import ShortLinks
import Synchronization

/// The store of one node behind a switch for its faults.
final class TestStore: LinkStore {
  enum Mode: Sendable {
    case sound
    /// No quorum: only this node's state, as it was, can be read.
    case noQuorum
    case busy
    /// There is a quorum, but this node hears nothing new.
    case lagging
    /// Changes are made, or not, but nobody is told.
    case silent(done: Bool)
  }

  private struct State {
    var mode = Mode.sound
    var store = LocalStore()
    /// What this node has heard of.
    var local = LocalStore()
  }

  private let state = Mutex(State())

  func set(_ mode: Mode) { state.withLock { $0.mode = mode } }

  var pairs: [KeyValuePair] { state.withLock { $0.store.pairs } }

  func perform(_ request: Request) async throws(LinkStoreError) -> Response {
    try state.withLock { (state) throws(LinkStoreError) in
      switch state.mode {
      case .sound:
        defer { state.local = state.store }
        return try Self.refusing { () throws(KeyValueError) in try state.store.perform(request) }
      case .lagging: return try Self.refusing { () throws(KeyValueError) in try state.store.perform(request) }
      case .noQuorum: throw .unavailable
      case .busy: throw .busy
      case .silent(let done):
        if done { _ = try? state.store.perform(request) }
        throw .outcomeUnknown
      }
    }
  }

  func read(_ request: RangeRequest, for subject: Subject?, allowStale: Bool) async throws(LinkStoreError) -> StoreReading {
    try state.withLock { (state) throws(LinkStoreError) in
      switch (state.mode, allowStale) {
      case (.sound, true): return try Self.reading(state.local, request, subject, isStale: false)
      case (.sound, false), (.lagging, false): return try Self.reading(state.store, request, subject, isStale: false)
      case (_, true): return try Self.reading(state.local, request, subject, isStale: true)
      case (_, false): throw .unavailable
      }
    }
  }

  private static func reading(
    _ store: LocalStore, _ request: RangeRequest, _ subject: Subject?, isStale: Bool
  ) throws(LinkStoreError) -> StoreReading {
    StoreReading(answer: try refusing { () throws(KeyValueError) in try store.read(request, for: subject) }, isStale: isStale)
  }

  /// This node may not have heard of them.
  var hasUsers: Bool { state.withLock { $0.local.access.isEnabled } }

  /// Every user's password is the name, twice; for "guessed" and "crowd" it is not even looked at.
  func judge(_ login: LinkLogin) async -> LinkLoginVerdict {
    switch login.user {
    case "guessed": .tooManyWrong
    case "crowd": .busy
    default: login.password == login.user.text + login.user.text ? .right : .wrong
    }
  }

  private static func refusing(_ body: () throws(KeyValueError) -> Response) throws(LinkStoreError) -> Response {
    do {
      return try body()
    } catch {
      throw .refused(error)
    }
  }
}
