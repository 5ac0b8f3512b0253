import Raft

/// When each lease ends, by the clock of the node that leads: volatile, and no part of the replicated state.
///
/// Who begins to lead gives every lease its full time again, as nobody knows when it was last kept alive. So a lease may last longer than
/// its time, and never ends earlier. To keep one alive changes its deadline, and nothing else: the queue has an earlier time then, and is
/// put right when that time comes. So what is kept alive each second costs the queue one step each time to live.
struct LeaseClock: Sendable {
  /// Expiries that one call gives at most.
  static let mostExpiries = 256
  /// Leases that one call looks at, at most: well below a millisecond of work.
  static let mostSteps = 4096
  /// An expiry that was proposed may be lost: it is given again when the lease is still there then.
  static let retry = Nanoseconds.seconds(3)

  private struct Lease: Sendable {
    var deadline: Instant
    /// Where the queue has it: not after the deadline, as long as it does not expire. What else the queue has of it is void.
    var queued: Instant
    var isExpiring = false
  }

  /// `nil` while this node does not lead.
  private(set) var term: Term?
  private var start = Instant.zero
  /// Leases with this number and above may have no deadline yet: they get theirs bit by bit.
  private var unseen: LeaseID?
  private var leases: [LeaseID: Lease] = [:]
  private var queue = LeaseQueue()
  /// Granted since the last call of `lead`, which knows the time.
  private var fresh: [LeaseID] = []

  /// When `lead` is to be called again.
  var deadline: Instant { unseen != nil || !fresh.isEmpty ? .zero : queue.first?.time ?? .never }

  /// How many places the queue has, void ones too.
  var queueCount: Int { queue.count }

  /// What has expired: to be proposed. O(1) if nothing is due.
  mutating func lead(_ term: Term?, _ table: LeaseTable, now: Instant) -> [Request] {
    if term != self.term {
      self = LeaseClock()
      self.term = term
      start = now
      unseen = .min
    }
    guard term != nil else { return [] }
    // Before those of old, as one may have been granted anew.
    for id in fresh where leases[id] == nil {
      if let seconds = table.timeToLive(of: id) { add(id, until: now + .seconds(seconds)) }
    }
    fresh.removeAll()
    seeMore(of: table)
    return expire(table, now)
  }

  private mutating func seeMore(of table: LeaseTable) {
    guard let next = unseen else { return }
    let first = table.granted.rank(of: LeaseTable.key(of: next)[...])
    let end = min(table.count, first + LeaseClock.mostSteps)
    unseen = nil
    for item in table.granted.items(at: first..<end) {
      let id = LeaseTable.id(of: item)
      if leases[id] == nil { add(id, until: start + .seconds(LeaseTable.timeToLive(of: item))) }
      if end < table.count { unseen = id + 1 }
    }
  }

  private mutating func expire(_ table: LeaseTable, _ now: Instant) -> [Request] {
    var expired: [Request] = []
    var steps = 0
    while let first = queue.first, first.time <= now, expired.count < LeaseClock.mostExpiries, steps < LeaseClock.mostSteps {
      steps += 1
      guard var lease = leases[first.id], lease.queued == first.time else {
        queue.removeFirst()
        continue
      }
      if lease.deadline > now {
        lease.queued = lease.deadline
      } else {
        // It is there: what ends it is noted. Its number may be granted anew before this is applied.
        expired.append(.leaseExpiry(first.id, grant: table.grant(of: first.id) ?? 0))
        lease.isExpiring = true
        lease.queued = now + LeaseClock.retry
      }
      leases[first.id] = lease
      queue.replaceFirst(LeaseQueue.Place(time: lease.queued, id: first.id))
    }
    return expired
  }

  // MARK: Changes of the replicated state

  /// To be told of every request that was done.
  @inline(__always)
  mutating func note(_ request: Request, in table: LeaseTable) {
    guard term != nil else { return }
    switch request {
    case .leaseGrant(let grant): fresh.append(grant.id)
    case .leaseRevoke(let id): leases[id] = nil
    // Of an earlier grant it ends nothing.
    case .leaseExpiry(let id, _): if !table.contains(id) { leases[id] = nil }
    case .range, .put, .delete, .transaction, .compaction, .settings, .leases, .lease, .access, .record, .onBehalf: break
    }
  }

  private mutating func add(_ id: LeaseID, until deadline: Instant) {
    leases[id] = Lease(deadline: deadline, queued: deadline)
    queue.insert(LeaseQueue.Place(time: deadline, id: id))
    // Leases that were revoked long before their time leave their places.
    if queue.count > 2 * leases.count + 1024 { queue.removeAll { leases[$0.id]?.queued != $0.time } }
  }

  // MARK: Questions

  /// Counts from the answer, so what the client is told is true however long the question took. What expires is gone already; but whoever
  /// asked in time is not late because the answer is.
  mutating func keepAlive(_ id: LeaseID, in table: LeaseTable, askedAt: Instant, now: Instant) -> LeaseAnswer {
    guard let seconds = table.timeToLive(of: id) else { return .gone }
    let answer = LeaseAnswer.lease(remaining: seconds, granted: seconds)
    // All get their full time when this node begins to lead.
    guard term != nil else { return answer }
    let deadline = now + .seconds(seconds)
    guard let lease = leases[id] else {
      add(id, until: deadline)
      return answer
    }
    guard !lease.isExpiring, askedAt < lease.deadline else { return .gone }
    leases[id]?.deadline = max(lease.deadline, deadline)
    return answer
  }

  /// In whole seconds, as etcd: what is left of one is not counted.
  func remaining(_ id: LeaseID, in table: LeaseTable, now: Instant) -> LeaseAnswer {
    guard let seconds = table.timeToLive(of: id) else { return .gone }
    guard term != nil else { return .lease(remaining: seconds, granted: seconds) }
    guard let lease = leases[id] else {
      let remaining = fresh.contains(id) ? seconds : (start + .seconds(seconds) - now) / .seconds(1)
      return .lease(remaining: max(0, remaining), granted: seconds)
    }
    let remaining = lease.isExpiring ? 0 : (lease.deadline - now) / .seconds(1)
    return .lease(remaining: max(0, remaining), granted: seconds)
  }
}

/// Times and leases, the earliest first: a binary heap.
struct LeaseQueue: Sendable {
  struct Place: Sendable {
    let time: Instant
    let id: LeaseID
  }

  private var places: [Place] = []

  var count: Int { places.count }
  var first: Place? { places.first }

  mutating func insert(_ place: Place) {
    places.append(place)
    var child = places.count - 1
    while child > 0, places[child].time < places[(child - 1) / 2].time {
      places.swapAt(child, (child - 1) / 2)
      child = (child - 1) / 2
    }
  }

  /// - Precondition: it is not empty.
  mutating func replaceFirst(_ place: Place) {
    places[0] = place
    moveDown(0)
  }

  /// - Precondition: it is not empty.
  mutating func removeFirst() {
    let last = places.removeLast()
    if !places.isEmpty { replaceFirst(last) }
  }

  mutating func removeAll(where isVoid: (Place) -> Bool) {
    places.removeAll(where: isVoid)
    for parent in (0..<places.count / 2).reversed() { moveDown(parent) }
  }

  private mutating func moveDown(_ start: Int) {
    var parent = start
    while true {
      let left = 2 * parent + 1
      guard left < places.count else { return }
      let right = left + 1
      let child = right < places.count && places[right].time < places[left].time ? right : left
      guard places[child].time < places[parent].time else { return }
      places.swapAt(child, parent)
      parent = child
    }
  }
}
