import KeyValue

/// Counts the visits that one node sees: in memory first, then in batches into counters of its own in the store.
///
/// A value that is told what happened and answers what to ask of the store; `Docs/Links.md` has the reasoning. In short: each owner has a
/// counter per link that it alone writes, so nodes never wait for one another; every flush compares and rewrites the owner's fence, so a
/// flush that is repeated, late or from a process of before is done at most once; every flush compares the links it counts for, so a
/// deleted link leaves no counter behind, and a new one of the same name starts from nothing.
///
/// Drive it like this, one request at a time:
/// ```
/// while let request = counter.nextRequest() {
///   // send it; then one of: counter.receive(answer), counter.outcomeUnknown(), counter.refused(); or, if it was surely not done, nothing
/// }
/// ```
public struct VisitCounter: Sendable {
  public struct Limits: Hashable, Sendable {
    /// Links with visits that wait in memory; as many again may be on their way to the store.
    public var maximumLinks: Int
    /// Visits of one link that wait in memory.
    public var maximumVisitsPerLink: UInt64

    public init(maximumLinks: Int = 8192, maximumVisitsPerLink: UInt64 = 1_000_000_000) {
      self.maximumLinks = maximumLinks
      self.maximumVisitsPerLink = maximumVisitsPerLink
    }
  }

  /// Links in one transaction: it reads two keys for each and one fence, and a transaction has at most 128 operations.
  public static let linksPerFlush = 63

  public let owner: CounterOwner
  /// Visits in the store.
  public private(set) var committed: UInt64 = 0
  /// Visits that were not counted, because a limit was reached or because it could not be known whether they were.
  public private(set) var dropped: UInt64 = 0
  /// Visits of links that were deleted before they could be counted.
  public private(set) var outlived: UInt64 = 0

  private let keys: LinkKeys
  private let limits: Limits
  /// Tells this process's batches from those of another with the same owner.
  private let process: UInt64
  private var batches: UInt64 = 0
  private var open = VisitTable()
  /// Taken from `open` and not yet in a batch.
  private var taken: [VisitTable.Entry] = []
  private var batch: Batch?

  /// - Parameters:
  ///   - owner: of this node, the same after each restart.
  ///   - process: a random number, another one at each start.
  public init(owner: CounterOwner, process: UInt64, keys: LinkKeys = LinkKeys(), limits: Limits = Limits()) {
    self.owner = owner
    self.process = process
    self.keys = keys
    self.limits = limits
  }

  /// Visits that are not in the store yet: what a crash now would lose.
  public var waiting: UInt64 {
    let underWay = taken + (batch?.entries ?? [])
    return underWay.reduce(open.visits) { $0.addingSaturated($1.visits) }
  }

  /// Counts a visit of a link, in the life in which it was read. O(1); never waits.
  public mutating func record(_ link: LinkIdentity) {
    let recorded = open.record(link, maximumLinks: limits.maximumLinks, maximumVisits: limits.maximumVisitsPerLink)
    if !recorded { dropped = dropped.addingSaturated(1) }
  }

  /// What to ask of the store now, through the log or as a linearizable read: a stale answer would make counts fall. The same until it
  /// is answered. `nil` if no visit waits.
  public mutating func nextRequest() -> Request? {
    if batch == nil {
      if taken.isEmpty {
        taken = open.entries
        open = VisitTable()
      }
      guard !taken.isEmpty else { return nil }
      let entries = Array(taken.suffix(Self.linksPerFlush))
      taken.removeLast(entries.count)
      batches += 1
      batch = Batch(entries: entries, mark: Value("\(process.hexadecimal) \(batches)".utf8), step: .read)
    }
    return batch.map(request)
  }
}

extension VisitCounter {
  /// Visits on their way to the store.
  private struct Batch {
    enum Step {
      /// Nothing was sent that changes anything.
      case read
      /// The totals to write if the fence is still of this revision. `maybeDone`: it was sent, and nobody knows.
      case write(fence: Revision, totals: [UInt64], maybeDone: Bool)
    }

    var entries: [VisitTable.Entry]
    /// The fence's value once the batch is in the store.
    let mark: Value
    var step: Step
  }

  private func request(of batch: Batch) -> Request {
    let fence = KeyRange(start: keys.fence(owner), end: nil)
    var reads = [Request.range(RangeRequest(range: fence))]
    for entry in batch.entries {
      reads.append(.range(RangeRequest(range: linkKey(entry), keysOnly: true)))
      reads.append(.range(RangeRequest(range: KeyRange(start: keys.counter(entry.link, owner), end: nil))))
    }
    guard case .write(let revision, let totals, _) = batch.step else { return .transaction(TransactionRequest(success: reads)) }

    var comparisons = [Comparison(range: fence, relation: .equal, operand: .modRevision(revision))]
    var writes = [Request.put(PutRequest(key: fence.start, value: batch.mark))]
    for (entry, total) in zip(batch.entries, totals) {
      let life = Comparison.Operand.createRevision(entry.link.createRevision)
      comparisons.append(Comparison(range: linkKey(entry), relation: .equal, operand: life))
      writes.append(.put(PutRequest(key: keys.counter(entry.link, owner), value: Value("\(total)".utf8))))
    }
    return .transaction(TransactionRequest(comparisons: comparisons, success: writes, failure: reads))
  }

  private func linkKey(_ entry: VisitTable.Entry) -> KeyRange { KeyRange(start: keys.link(entry.link.slug), end: nil) }
}

extension VisitCounter {
  /// The answer to the last request. Afterwards `nextRequest` goes on.
  /// - Throws: `LinkError.unexpectedAnswer`; the batch stays as it was, and the same request may be sent again.
  public mutating func receive(_ answer: Response) throws(LinkError) {
    guard let current = batch else { return }
    let (succeeded, responses) = try answer.result.transaction()
    switch current.step {
    case .read:
      batch = try prepared(current, from: responses)
    case .write where succeeded:
      finish(current, \.committed)
    case .write(let fence, _, let maybeDone):
      let state = try fenceState(in: responses)
      if state.value == current.mark {
        finish(current, \.committed)
      } else if maybeDone, state.revision != fence {
        // Either our attempt was too late, or it was done and then another process of this owner wrote: that cannot be told apart. Visits
        // counted twice would be worse than a few lost.
        finish(current, \.dropped)
      } else {
        batch = try prepared(current, from: responses)
      }
    }
  }

  /// The last request was sent, and nobody knows whether it was done. `nextRequest` gives it again.
  public mutating func outcomeUnknown() {
    guard case .write(let fence, let totals, _) = batch?.step else { return }
    batch?.step = .write(fence: fence, totals: totals, maybeDone: true)
  }

  /// The store will never do the last request. Its visits are dropped, so that they do not stand in the way of the others.
  public mutating func refused() {
    if let batch { finish(batch, \.dropped) }
  }

  private mutating func finish(_ finished: Batch, _ fate: WritableKeyPath<Self, UInt64>) {
    for entry in finished.entries { self[keyPath: fate] = self[keyPath: fate].addingSaturated(entry.visits) }
    batch = nil
  }

  /// The batch with totals from what was read, without links that are gone; `nil` if none is left.
  private mutating func prepared(_ current: Batch, from responses: [OperationResult]) throws(LinkError) -> Batch? {
    let fence = try fenceState(in: responses)
    guard responses.count == 1 + 2 * current.entries.count else { throw .unexpectedAnswer }
    var next = current
    next.entries = []
    var totals: [UInt64] = []
    var gone: UInt64 = 0
    var unreadable: UInt64 = 0
    for (offset, entry) in current.entries.enumerated() {
      let link = try responses[1 + 2 * offset].range().pairs.first
      let counter = try responses[2 + 2 * offset].range().pairs.first
      if link?.createRevision != entry.link.createRevision {
        gone = gone.addingSaturated(entry.visits)
      } else if let before = counter.map({ UInt64(decimal: $0.value) }) ?? 0 {
        next.entries.append(entry)
        totals.append(before.addingSaturated(entry.visits))
      } else {
        unreadable = unreadable.addingSaturated(entry.visits)
      }
    }
    outlived = outlived.addingSaturated(gone)
    dropped = dropped.addingSaturated(unreadable)
    next.step = .write(fence: fence.revision, totals: totals, maybeDone: false)
    return next.entries.isEmpty ? nil : next
  }

  /// Revision 0 and no value before the owner's first flush.
  private func fenceState(in responses: [OperationResult]) throws(LinkError) -> (revision: Revision, value: Value?) {
    guard let first = responses.first else { throw .unexpectedAnswer }
    let pair = try first.range().pairs.first
    return (pair?.modRevision ?? 0, pair?.value)
  }
}

/// Visits by link, with a bound on both.
struct VisitTable: Sendable {
  struct Entry: Hashable, Sendable {
    var link: LinkIdentity
    var visits: UInt64
  }

  private(set) var entries: [Entry] = []
  private(set) var visits: UInt64 = 0
  private var offsets: [LinkIdentity: Int] = [:]

  /// False, and nothing is added, if the table holds `maximumLinks` others or `maximumVisits` of this one. O(1).
  mutating func record(_ link: LinkIdentity, maximumLinks: Int, maximumVisits: UInt64) -> Bool {
    if let offset = offsets[link] {
      guard entries[offset].visits < maximumVisits else { return false }
      entries[offset].visits += 1
    } else {
      guard entries.count < maximumLinks, maximumVisits > 0 else { return false }
      offsets[link] = entries.count
      entries.append(Entry(link: link, visits: 1))
    }
    visits = visits.addingSaturated(1)
    return true
  }
}
