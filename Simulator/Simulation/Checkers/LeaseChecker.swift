import KeyValue
import Raft
import Replica

/// Checks what becomes of leases, and what fences let pass, against the log as the model has it:
///
/// - the keys of a lease go all in one revision, when it is revoked or expires, and with no other lease;
/// - an expiry ends the lease that it was proposed for, and no other of its number;
/// - no lease expires before its time, counted from its grant and from the last question that kept it alive, by true time: the clocks may
///   run fast by no more than the story says;
/// - whoever keeps a lease alive is told what was granted, and not of a lease that was gone before;
/// - what was written under a fence carries the token of the present holder of the lock, and tokens of one lock never go back.
struct LeaseChecker {
  private struct Lease {
    let id: LeaseID
    let timeToLive: Int64
    /// From this moment it has its full time.
    var since: Instant
    /// The command that granted it.
    let grant: LogIndex
  }

  private struct Ended {
    let lease: Lease
    let at: Instant
    let isExpired: Bool
  }

  private(set) var granted = 0
  private(set) var expired = 0
  /// Millionths by which a clock runs fast at most.
  private let fastest: Int64
  private var leases: [Lease] = []
  /// The last ones.
  private var ended: [Ended] = []
  private var before = NaiveStore()
  /// The largest token so far of each lock.
  private var tokens: [(name: Key, token: Revision)] = []

  private static let mostEnded = 64
  /// Clocks round, and a lease is granted when a node commits it, which then asks its clock.
  private static let rounding = Nanoseconds.milliseconds(1)

  init(fastest: Int64) { self.fastest = fastest }

  /// Of those from this number on, what the log has.
  func leases(from first: LeaseID) -> [LeaseID] { leases.map(\.id).filter { $0 >= first } }

  // MARK: The log

  /// The log goes on by a command, to this state.
  /// - Returns: what is wrong.
  mutating func committed(_ model: NaiveStore, _ command: Command?, at now: Instant) -> String? {
    let before = before
    self.before = model
    let changes = model.revision == before.revision ? [] : model.past.newest?.changes ?? []
    for lease in model.leases where model.leases.count > before.leases.count && !before.hasLease(lease.id) {
      leases.append(Lease(id: lease.id, timeToLive: lease.timeToLive, since: now, grant: command?.index ?? 0))
      granted += 1
    }
    if model.leases.count < before.leases.count, let lease = before.leases.first(where: { !model.hasLease($0.id) }) {
      if let text = end(lease.id, command, at: now) ?? keysWentAlone(with: lease.id, before, model, changes) { return text }
    } else if let change = changes.first(where: { $0.new == nil && $0.old?.lease ?? 0 != 0 }) {
      switch Self.request(command) {
      case .delete, .transaction: break
      default: return "\(Self.text(change.key)) goes, and its lease \(change.old?.lease ?? 0) stays"
      }
    }
    for change in changes {
      guard let new = change.new else { continue }
      if new.lease != 0, !model.hasLease(new.lease) { return "\(Self.text(change.key)) goes with lease \(new.lease), which is not there" }
      if let text = passedFence(new, before) { return text }
    }
    return nil
  }

  private static func request(_ command: Command?) -> Request? { command.flatMap { try? Request(decoding: $0.payload) }?.unwrapped }
  private static func text(_ key: Key) -> String { KeyValueWords.text(of: KeyRange(key)) }

  private mutating func end(_ id: LeaseID, _ command: Command?, at now: Instant) -> String? {
    guard let place = leases.firstIndex(where: { $0.id == id }) else { return "lease \(id) ends, and was never granted" }
    let lease = leases.remove(at: place)
    let isExpired: Bool
    switch Self.request(command) {
    case .leaseExpiry(id, lease.grant): isExpired = true
    case .leaseExpiry(id, let grant): return "lease \(id) of command \(lease.grant) ends, and that of command \(grant) expired"
    case .leaseRevoke(id): isExpired = false
    default: return "lease \(id) ends by another request"
    }
    ended.append(Ended(lease: lease, at: now, isExpired: isExpired))
    if ended.count > Self.mostEnded { ended.removeFirst() }
    guard isExpired else { return nil }
    expired += 1
    return isEarly(lease, since: lease.since, at: now)
  }

  private func isEarly(_ lease: Lease, since: Instant, at now: Instant) -> String? {
    let elapsed = now - since
    let shown = elapsed + Nanoseconds(elapsed.count / 1_000_000 * fastest) + Self.rounding
    guard shown < .seconds(lease.timeToLive) else { return nil }
    return "lease \(lease.id) for \(lease.timeToLive) s expires after \(elapsed / .milliseconds(1)) ms"
  }

  private func keysWentAlone(
    with id: LeaseID, _ before: NaiveStore, _ model: NaiveStore, _ changes: [NaivePast.Change]
  ) -> String? {
    let keys = before.pairs.map(\.pair).filter { $0.lease == id }.map(\.key)
    guard model.revision == before.revision + (keys.isEmpty ? 0 : 1) else { return "the keys of lease \(id) do not go in one revision" }
    guard changes.allSatisfy({ $0.new == nil }), changes.map(\.key) == keys else {
      return "lease \(id) had \(keys.count) keys, and \(changes.count) keys change when it ends"
    }
    return nil
  }

  // MARK: Questions

  /// A client that asked at some moment for a lease to be kept alive is told that it is.
  mutating func keptAlive(_ id: LeaseID, for seconds: Int64, askedAt asked: Instant) -> String? {
    guard let place = leases.firstIndex(where: { $0.id == id }) else {
      guard let end = ended.last(where: { $0.lease.id == id }) else { return "lease \(id) is kept alive, and was never granted" }
      if end.at < asked { return "lease \(id) is kept alive, and was gone before" }
      return end.isExpired ? isEarly(end.lease, since: asked, at: end.at) : nil
    }
    guard seconds == leases[place].timeToLive else { return "lease \(id) is kept alive for \(seconds) s, and not what was granted" }
    leases[place].since = max(leases[place].since, asked)
    return nil
  }

  // MARK: Locks

  private static let locks = Array("hold/".utf8)
  private static let writes = Array("held/".utf8)

  static func lock(_ name: Key) -> Key { locks + name }

  /// What the holder of the lock writes under its fence.
  static func write(_ number: Int, to name: Key, under fence: Fence) -> PutRequest {
    PutRequest(key: writes + name, value: Array("\(fence.token) \(number)".utf8))
  }

  /// - Parameter before: the state in which the fence was looked at.
  private mutating func passedFence(_ pair: KeyValuePair, _ before: NaiveStore) -> String? {
    guard pair.key.starts(with: Self.writes) else { return nil }
    let name = Key(pair.key.dropFirst(Self.writes.count))
    let token = Revision(String(decoding: pair.value.prefix { $0 != UInt8(ascii: " ") }, as: UTF8.self)) ?? 0
    let claims = before.pairs(in: KeyRange(prefix: Self.lock(name) + Array("/".utf8)))
    let holder = claims.map(\.pair.createRevision).min() ?? 0
    guard token == holder else { return "a write with token \(token) passes, and lock \(Self.text(name)) is held with \(holder)" }
    let place = tokens.firstIndex { $0.name == name }
    let last = place.map { tokens[$0].token } ?? 0
    guard token >= last else { return "the token of lock \(Self.text(name)) goes back from \(last) to \(token)" }
    if let place { tokens[place].token = token } else { tokens.append((name, token)) }
    return nil
  }
}
