import KeyValue

/// All states that a naive store remembers, each whole, with what led to it.
struct NaivePast: Sendable {
  struct Change: Sendable {
    let key: Key
    /// `nil`: deleted.
    let new: KeyValuePair?
    let old: KeyValuePair?
  }

  struct State: Sendable {
    let revision: Revision
    /// In the order of their keys.
    let pairs: [NaiveStore.Kept]
    /// From the state before, in their order.
    let changes: [Change]

    /// What is noted of each change and of each deletion, and what was replaced.
    var bytes: Int {
      changes.reduce(0) { sum, change in
        let deletion = change.new == nil ? change.key.count + NaiveStore.versionBytes : 0
        return sum + NaiveStore.changeBytes + deletion + (change.old.map(NaiveStore.bytes) ?? 0)
      }
    }
  }

  /// Of a run, so that a copy that is changed copies little.
  private static let run = 64

  private var runs: [[State]] = []
  /// Of all states.
  private(set) var bytes = 0

  mutating func append(_ state: State) {
    bytes += state.bytes
    if let last = runs.indices.last, runs[last].count < Self.run { runs[last].append(state) } else { runs.append([state]) }
  }

  mutating func forget(before revision: Revision) {
    while let first = runs.first?.first, first.revision < revision {
      bytes -= first.bytes
      runs[0].removeFirst()
      if runs[0].isEmpty { runs.removeFirst() }
    }
  }

  /// What led to the oldest state.
  mutating func forgetOldestChanges() {
    guard let first = runs.first?.first else { return }
    bytes -= first.bytes
    runs[0][0] = State(revision: first.revision, pairs: first.pairs, changes: [])
  }

  /// - Precondition: it is remembered.
  func state(at revision: Revision) -> State {
    let run = runs.lastIndex { $0[0].revision <= revision } ?? 0
    return runs[run].last { $0.revision <= revision } ?? runs[run][0]
  }

  /// The present one.
  var newest: State? { runs.last?.last }

  var oldest: [State] { Array(runs.joined().prefix(2)) }

  /// All of them, each with its revision, in their order.
  var changes: [(revision: Revision, change: Change)] { Self.changes(of: runs.joined()) }

  /// Those of the last states, of all if it is few.
  func newestChanges(ofStates count: Int) -> [(revision: Revision, change: Change)] {
    Self.changes(of: runs.suffix(count / Self.run + 1).joined().suffix(count))
  }

  private static func changes(of states: some Sequence<State>) -> [(revision: Revision, change: Change)] {
    states.flatMap { state in state.changes.map { (state.revision, $0) } }
  }
}

extension NaiveStore {
  // The numbers are those of the documents, written down once more on purpose.
  static let versionBytes = 96
  fileprivate static let changeBytes = 32

  /// How many keys are not there, but were deleted as far as is remembered.
  func rememberedDeletions(in range: KeyRange) -> Int {
    var keys: [Key] = []
    for (_, change) in past.changes where change.new == nil && pair(change.key) == nil && !keys.contains(change.key) {
      keys.append(change.key)
    }
    var store = self
    store.pairs = keys.sorted { $0.lexicographicallyPrecedes($1) }
      .map { Kept(KeyValuePair(key: $0, value: [], createRevision: 0, modRevision: 0, version: 0)) }
    return store.pairs(in: range).count
  }

  /// What is there, and what is kept of before.
  var size: Int { presentBytes + past.bytes + leaseBytes }

  static func bytes(of pair: KeyValuePair) -> Int { pair.key.count + pair.value.count + versionBytes }

  // MARK: Room

  mutating func compact(at revision: Revision) {
    compactRevision = revision
    firstEvents = revision
    past.forget(before: revision)
    endAlarm()
    guard isOutOfSpace else { return }
    firstEvents = revision + 1
    past.forgetOldestChanges()
    endAlarm()
  }

  mutating func set(_ settings: StoreSettings) {
    self.settings = settings
    endAlarm()
  }

  private mutating func endAlarm() {
    if isOutOfSpace, Int64(size) <= settings.quota - settings.quota / 8 { isOutOfSpace = false }
  }

  /// A request that puts something is refused if that has no room, and then all that follow until there is some again.
  mutating func makeRoom(for request: Request) throws(KeyValueError) {
    let growth = growth(of: request)
    guard growth > 0 else { return }
    if !isOutOfSpace, Int64(size + growth) <= settings.quota { return }
    isOutOfSpace = true
    throw .noSpace
  }

  /// By a lease, or by the puts of the branches that are taken.
  private func growth(of request: Request) -> Int {
    switch request {
    case .range, .delete, .compaction, .settings, .leaseRevoke, .leaseExpiry, .leases, .lease, .access, .record, .onBehalf: return 0
    case .leaseGrant: return Self.leaseBytes
    case .put(let put):
      let value = put.ignoreValue ? pair(put.key)?.value ?? [] : put.value
      let ofLease = put.lease == 0 ? 0 : Self.bytes(ofLeased: put.key)
      return put.key.count + value.count + Self.versionBytes + Self.changeBytes + ofLease
    case .transaction(let transaction):
      let branch = transaction.comparisons.allSatisfy(holds) ? transaction.success : transaction.failure
      return branch.reduce(0) { $0 + growth(of: $1) }
    }
  }
}
