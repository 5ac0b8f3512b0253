import ByteCoding
import Raft

/// The commands of this node that some leader's log may hold, this node's own or another's, in the order in which they were sent.
///
/// What becomes of them shows in the log: a command that was sent to the leader of a term, and is not applied when an entry of a newer term
/// is, never will be. For it would have to stand before that entry, and everything there has been applied. So it can be sent again.
struct InFlight: Sendable {
  struct Item: Sendable {
    let id: RequestID
    let payload: Bytes
    /// The term whose leader it was meant for.
    let term: Term
    /// The message that carried it to another node; 0 for what this node appended itself.
    let sequence: UInt64
  }

  /// Named anew at each start, so that what an earlier process sent is not mistaken for what this one sends.
  let stream: UInt64
  private var lastSequence: UInt64 = 0
  private var items: [Item] = []
  /// After a refusal, when to ask again.
  private(set) var heldUntil: Instant = .zero

  init(stream: UInt64) { self.stream = stream }

  var count: Int { items.count }

  mutating func nextSequence() -> UInt64 {
    lastSequence += 1
    return lastSequence
  }

  mutating func add(_ batch: [(id: RequestID, payload: Bytes)], term: Term, sequence: UInt64) {
    for (id, payload) in batch { items.append(Item(id: id, payload: payload, term: term, sequence: sequence)) }
  }

  /// What this message carried, when its receiver did not append it and never will.
  mutating func takeRefused(_ sequence: UInt64) -> [Item] { take { $0.sequence == sequence } }

  /// What can no longer be committed, now that an entry of `term` is applied.
  mutating func takeOvertaken(by term: Term) -> [Item] {
    // Terms grow along the array: usually there is nothing to do.
    guard let first = items.first, first.term < term else { return [] }
    return take { $0.term < term }
  }

  /// Drops what was answered.
  mutating func forget(_ isAnswered: (RequestID) -> Bool) { items.removeAll { isAnswered($0.id) } }

  mutating func removeAll() { items.removeAll() }

  mutating func hold(until instant: Instant) { heldUntil = instant }

  private mutating func take(_ matches: (Item) -> Bool) -> [Item] {
    let taken = items.filter(matches)
    items.removeAll(where: matches)
    return taken
  }
}
