import ByteCoding
import Raft

/// Questions to the leader on their way: what only the node that leads knows, and no log has. Asked again until they are answered or their
/// time is up, so a question must be one that may be asked twice.
@usableFromInline
struct Questions: Sendable {
  @usableFromInline
  struct Item: Sendable, Equatable {
    let id: RequestID
    @usableFromInline let payload: Bytes
  }

  /// Sent to the leader, and not answered yet.
  private struct Sent {
    let number: UInt64
    let items: [Item]
    let retryAt: Instant
  }

  /// With this node, as the leader, until a majority has confirmed that it is.
  @usableFromInline
  struct Asked: Sendable {
    /// Of all that were asked here.
    let key: UInt64
    /// The member that sent them, and its number for them; `nil` for this node's own.
    let origin: (node: NodeID, number: UInt64)?
    @usableFromInline fileprivate(set) var list: [Item]
    @usableFromInline let at: Instant
    let term: Term
  }

  /// Most questions' bytes in one frame, but at least one question.
  static let maximumFrameBytes = 64 << 10
  /// Most frames of one member that wait for an answer; the rest gathers behind them, and goes in fewer.
  static let maximumFrames = 16

  private(set) var waiting: [Item] = []
  private var sent: [Sent] = []
  private var asked: [Asked] = []
  private(set) var ready: [Asked] = []
  private var lastNumber: UInt64 = 0
  private var lastKey: UInt64 = 0

  var askedCount: Int { asked.count }
  var sentCount: Int { sent.count }

  /// Whether a majority is still to confirm for these.
  func isAsked(_ key: UInt64) -> Bool { asked.contains { $0.key == key } }

  var deadline: Instant { sent.lazy.map(\.retryAt).min() ?? .never }

  mutating func add(_ item: Item) { waiting.append(item) }

  // MARK: At a follower

  /// Takes what goes to the leader in one frame; `nil` if nothing waits, or enough is under way.
  mutating func send(fresh: UInt64, retryAt: Instant) -> (number: UInt64, items: [Item])? {
    guard !waiting.isEmpty, sent.count < Self.maximumFrames else { return nil }
    var bytes = 0
    let count = waiting.prefix {
      bytes += $0.payload.count + QuestionFrame.itemOverhead
      return bytes <= Self.maximumFrameBytes
    }.count
    let items = Array(waiting.prefix(max(count, 1)))
    waiting.removeFirst(items.count)
    lastNumber = lastNumber == 0 ? fresh : lastNumber &+ 1
    sent.append(Sent(number: lastNumber, items: items, retryAt: retryAt))
    return (lastNumber, items)
  }

  /// The ids that were asked under this number; none if they are answered, or asked again under another.
  mutating func takeSent(_ number: UInt64) -> [RequestID] {
    guard let place = sent.firstIndex(where: { $0.number == number }) else { return [] }
    return sent.remove(at: place).items.map(\.id)
  }

  mutating func retry(now: Instant) {
    let late = sent.filter { $0.retryAt <= now }
    guard !late.isEmpty else { return }
    sent.removeAll { $0.retryAt <= now }
    waiting.insert(contentsOf: late.flatMap(\.items), at: 0)
  }

  // MARK: At the leader

  /// This node's own, all that wait.
  mutating func ask(at now: Instant, term: Term) -> UInt64 {
    defer { waiting.removeAll() }
    return enter(origin: nil, waiting, at: now, term: term)
  }

  /// A member's. Of one that has too many here the oldest are dropped, as the network may drop them: it asks again.
  mutating func ask(_ items: [Item], from node: NodeID, number: UInt64, at now: Instant, term: Term) -> UInt64 {
    if hasMost(of: node), let oldest = asked.firstIndex(where: { $0.origin?.node == node }) { asked.remove(at: oldest) }
    return enter(origin: (node, number), items, at: now, term: term)
  }

  /// Whether one more of this member's drops its oldest.
  func hasMost(of node: NodeID) -> Bool { asked.count { $0.origin?.node == node } >= Self.maximumFrames }

  private mutating func enter(origin: (node: NodeID, number: UInt64)?, _ items: [Item], at now: Instant, term: Term) -> UInt64 {
    lastKey &+= 1
    asked.append(Asked(key: lastKey, origin: origin, list: items, at: now, term: term))
    return lastKey
  }

  /// A majority confirmed, after these were asked, that this node leads.
  mutating func confirm(_ key: UInt64) {
    guard let place = asked.firstIndex(where: { $0.key == key }) else { return }
    ready.append(asked.remove(at: place))
  }

  mutating func takeReady() -> [Asked] {
    defer { ready.removeAll() }
    return ready
  }

  // MARK: Ends

  /// Another leader will not answer what was asked of the one before. The members ask it themselves.
  mutating func beginAnew() {
    let own = asked.filter { $0.origin == nil }.flatMap(\.list)
    waiting.insert(contentsOf: own + sent.flatMap(\.items), at: 0)
    asked.removeAll()
    ready.removeAll()
    sent.removeAll()
  }

  /// Drops those whose requests have their answer. A frame under way goes when all of it does: its answer must match it, and there are few.
  mutating func forget(_ isAnswered: (RequestID) -> Bool) {
    waiting.removeAll { isAnswered($0.id) }
    sent.removeAll { $0.items.allSatisfy { isAnswered($0.id) } }
    for place in asked.indices where asked[place].origin == nil { asked[place].list.removeAll { isAnswered($0.id) } }
    asked.removeAll { $0.origin == nil && $0.list.isEmpty }
  }

  mutating func removeAll() { self = Questions() }
}

/// Questions of one member to the leader, or the answers to them, in one frame.
///
/// Bytes: number (8), how many (4), and of each its request (8) and its bytes with their length.
package struct QuestionFrame: Equatable, Sendable {
  /// Bytes of a question beside its payload.
  static let itemOverhead = 12

  let number: UInt64
  let items: [Questions.Item]

  func encode(into writer: inout ByteWriter) {
    writer.write(number)
    writer.write(UInt32(items.count))
    for item in items {
      writer.write(item.id)
      writer.write(prefixed: item.payload)
    }
  }

  init(from reader: inout ByteReader) throws(MalformedBytes) {
    number = try reader.readUInt64()
    let count = Int(try reader.readUInt32())
    guard count <= reader.remaining / Self.itemOverhead else { throw MalformedBytes("questions: more than fit into the frame") }
    var items: [Questions.Item] = []
    items.reserveCapacity(count)
    for _ in 0..<count { items.append(Questions.Item(id: try reader.readUInt64(), payload: try reader.readPrefixed())) }
    self.items = items
  }

  init(number: UInt64, items: [Questions.Item]) {
    self.number = number
    self.items = items
  }
}
