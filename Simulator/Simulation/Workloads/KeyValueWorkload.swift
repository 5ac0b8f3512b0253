import KeyValue
import Raft
import Replica

/// Clients of the key-value store: registers, compare-and-set, transactions across keys, ranges, stale reads; and, one time in 21,
/// whatever else the store can be asked.
public struct KeyValueWorkload: Workload {
  public typealias Machine = KeyValueMachine
  public typealias Model = NaiveStore

  private let keys: UInt64
  private let valueBytes: Int
  /// What clients saw, for the search; `nil` in runs that do without.
  private var history: KeyValueHistory?
  /// What the open reads look for.
  private var reads: [RequestID: Request] = [:]
  /// The first request that its own bytes do not give back: whoever is asked afterwards, the model too, knows the bytes only.
  private var misread: String?
  /// Those who watch.
  private var watching = WatchClients(nodes: 0, keys: 1, seed: 0)
  /// Those who have leases and locks.
  private var locking = LockClients(nodes: 0, seed: 0)
  /// The newest request of one of those. The search for an order leaves theirs out: no other request is for their keys.
  private var lastWish: RequestID?

  public init() { self.init(Story.Scale(), searchingForOrder: true) }

  /// `searchingForOrder` says whether a run ends with a search for linearizability, which takes a fifth of the run's time.
  public init(_ scale: Story.Scale, searchingForOrder: Bool) {
    keys = scale.keys
    valueBytes = scale.valueBytes
    history = searchingForOrder ? KeyValueHistory() : nil
  }

  /// A search for an order knows nothing of rights: only where there is none they are changed, and a request is now and then somebody's.
  public mutating func operation(_ number: UInt64, seeing view: KeyValueView, using random: inout PseudoRandom) -> ClientOperation {
    guard history == nil else { return trustedOperation(number, seeing: view, using: &random) }
    if random.chance(1, in: 64) { return command(AccessDrawer(keys: keys, seeing: view).change(&random)) }
    let operation = trustedOperation(number, seeing: view, using: &random)
    guard random.chance(1, in: 16) else { return operation }
    return onBehalf(of: AccessDrawer.subject(&random), operation)
  }

  private func onBehalf(of subject: Subject, _ operation: ClientOperation) -> ClientOperation {
    switch operation.kind {
    case .command(let bytes): (try? Request(decoding: bytes[...])).map { command(.onBehalf(of: subject, $0)) } ?? operation
    case .read(let consistency, let query):
      (try? Request(decoding: query[...])).map { read(consistency, .onBehalf(of: subject, $0)) } ?? operation
    case .question: operation
    }
  }

  private mutating func trustedOperation(
    _ number: UInt64, seeing view: KeyValueView, using random: inout PseudoRandom
  ) -> ClientOperation {
    let place = random.below(keys)
    let key = Self.key(place)
    // Not for those who only read: large ones take their time.
    let valueBytes = valueBytes
    var value: [UInt8] { Array("v\(number)".utf8) + [UInt8](repeating: 0x78, count: valueBytes) }
    // Not for long, so that something is done.
    if view.isOutOfSpace, random.chance(1, in: 8) {
      var drawer = KeyValueDrawer(reach(place), number: number, value: [], seeing: view)
      return command(drawer.upkeep(&random))
    }
    // As whoever runs a store does; else all that judges look at grows with the run.
    if random.chance(1, in: 64) {
      return command(.compaction(CompactionRequest(revision: view.revision - Revision(random.below(128)))))
    }
    if random.chance(1, in: 48) {
      let drawer = KeyValueDrawer(reach(place), number: number, value: [], seeing: view)
      return command(drawer.leaseChange(&random))
    }
    switch random.below(21) {
    case 0...1 where history == nil: return command(.put(leased(key, value, view, &random)))
    case 0...5: return command(.put(PutRequest(key: key, value: value, previous: random.chance(1, in: 4))))
    case 6...7: return command(.delete(DeleteRequest(range: KeyRange(key), previous: true)))
    case 8 where history == nil: return command(.delete(DeleteRequest(range: KeyRange(start: Self.key(1), end: Self.key(3)))))
    case 8...12: return command(.transaction(compareAndSet(key, value, view)))
    // A search that has all keys in one piece finds no end: it gets pairs.
    case 13...14: return command(.transaction(move(from: key, to: Self.key(history == nil ? random.below(keys) : place ^ 1), value)))
    case 15...17: return read(.linearizable, range: history == nil && random.chance(1, in: 4) ? KeyRange.all : KeyRange(key))
    case 18...19: return read(.serializable, range: KeyRange(key))
    default: return anything(number, place, value, view, &random)
    }
  }

  private mutating func anything(
    _ number: UInt64, _ place: UInt64, _ value: @autoclosure () -> Value, _ view: KeyValueView, _ random: inout PseudoRandom
  ) -> ClientOperation {
    let kind = random.below(8)
    var drawer = KeyValueDrawer(reach(place), number: number, value: kind < 5 ? value() : [], seeing: view)
    let request: Request =
      switch kind {
      case 0: random.chance(1, in: 2) ? drawer.change(&random) : drawer.upkeep(&random)
      case 1...4: .transaction(drawer.transaction(&random))
      case 5...6: .range(drawer.range(&random))
      default: random.chance(1, in: 2) ? drawer.leaseRead(&random) : .transaction(drawer.reads(&random))
      }
    if misread == nil, (try? Request(decoding: request.encoded()[...])) != request { misread = KeyValueWords.text(of: request) }
    return kind < 5 ? command(request) : read(random.chance(1, in: 4) ? .serializable : .linearizable, request)
  }

  private func reach(_ place: UInt64) -> KeyValueDrawer.Reach {
    history == nil ? .all(keys) : keys < 10 ? .pair(place) : .one(place)
  }

  private static func key(_ number: UInt64) -> Key { KeyValueDrawer.key(number) }

  private func command(_ request: Request) -> ClientOperation {
    .command(request.encoded(), label: KeyValueWords.text(of: request))
  }

  private func read(_ consistency: Consistency, range: KeyRange) -> ClientOperation {
    read(consistency, .range(RangeRequest(range: range)))
  }

  private func read(_ consistency: Consistency, _ request: Request) -> ClientOperation {
    ClientOperation(
      .read(consistency, query: request.encoded()),
      label: KeyValueWords.text(of: request) + (consistency == .serializable ? ", perhaps stale" : ""))
  }

  /// With a lease that is there, if there is any.
  private func leased(_ key: Key, _ value: Value, _ view: KeyValueView, _ random: inout PseudoRandom) -> PutRequest {
    let drawer = KeyValueDrawer(.one(0), number: 0, value: [], seeing: view)
    let lease = drawer.lease(&random)
    return PutRequest(key: key, value: value, lease: view.timeToLive(of: lease) == nil ? 0 : lease)
  }

  /// Against the newest revision, so that it often succeeds.
  private func compareAndSet(_ key: Key, _ value: Value, _ view: KeyValueView) -> TransactionRequest {
    TransactionRequest(
      comparisons: [
        Comparison(range: KeyRange(key), relation: .equal, operand: .modRevision(view.get(key)?.modRevision ?? 0))
      ],
      success: [.put(PutRequest(key: key, value: value))],
      failure: [.range(RangeRequest(range: KeyRange(key)))])
  }

  /// Both keys change together, or neither.
  private func move(from source: Key, to destination: Key, _ value: Value) -> TransactionRequest {
    var success: [Request] = [.delete(DeleteRequest(range: KeyRange(source), previous: true))]
    if source != destination { success.append(.put(PutRequest(key: destination, value: value))) }
    return TransactionRequest(
      comparisons: [Comparison(range: KeyRange(source), relation: .notEqual, operand: .createRevision(0))], success: success,
      failure: [.put(PutRequest(key: source, value: value))])
  }

  public static func digest(of view: KeyValueView) -> UInt64 { view.digest }

  // MARK: History

  public mutating func asked(_ id: RequestID, _ operation: ClientOperation, at now: Instant) {
    guard history != nil, id != lastWish else { return }
    let bytes: [UInt8]
    switch operation.kind {
    case .command(let command): bytes = command
    // A stale read may come from any moment.
    case .read(.serializable, _), .question: return
    case .read(.linearizable, let query): bytes = query
    }
    guard let request = try? Request(decoding: bytes[...]) else { return }
    reads[id] = operation.isRead ? request : nil
    history?.asked(id, request, at: now)
  }

  public mutating func answered(
    _ id: RequestID, _ answer: ClientAnswer<KeyValueMachine>, at now: Instant
  ) -> (checker: Violation.Checker, text: String)? {
    let (isTheirs, text) = locking.answered(id, answer, at: now)
    if !isTheirs { note(id, answer, at: now) }
    return text.map { (Violation.Checker.leases, $0) }
  }

  private mutating func note(_ id: RequestID, _ answer: ClientAnswer<KeyValueMachine>, at now: Instant) {
    guard history != nil else { return }
    let read = reads.removeValue(forKey: id)
    switch answer {
    case .output(.success(let answer)): history?.answered(id, .done(answer), at: now)
    case .output(.failure), .notDone: history?.answered(id, .refused, at: now)
    case .unknown: history?.answered(id, .unknown, at: now)
    case .answer: break
    case .view(let view, _):
      guard let read, let answer = try? view.answer(read).get() else { return }
      history?.answered(id, .done(answer), at: now)
    }
  }

  // MARK: Watching and locking

  public static var followsStates: Bool { true }

  public mutating func prepare(_ story: Story) {
    watching = WatchClients(nodes: story.names.count, keys: keys, seed: story.seed)
    locking = LockClients(nodes: story.names.count, seed: story.seed, fastest: story.fastestClock)
  }

  public mutating func follow(
    _ node: Int, _ view: KeyValueView?, at now: Instant
  ) -> (checker: Violation.Checker, text: String)? {
    watching.follow(node, view, at: now).map { (.watching, $0) }
  }

  public mutating func committed(
    _ model: NaiveStore, _ command: Command?, at now: Instant
  ) -> (checker: Violation.Checker, text: String)? {
    watching.committed(model)
    return locking.committed(model, command, at: now).map { (Violation.Checker.leases, $0) }
  }

  public mutating func wish(_ id: RequestID, at now: Instant) -> (operation: ClientOperation, node: Int, timeout: Nanoseconds)? {
    let watching = watching
    guard let wish = locking.wish(id, at: now, view: { watching.view(of: $0) }) else { return nil }
    lastWish = id
    return (wish.operation, wish.node, wish.timeout)
  }

  public mutating func healed(_ nodes: [Int]) {
    watching.heal(nodes)
    locking.heal()
  }

  public var awaited: String? { watching.awaited ?? locking.awaited }

  public mutating func finalViolations(_ report: inout RunReport, view: KeyValueView) -> [(checker: Violation.Checker, text: String)] {
    report.counted += watching.counts.named + locking.named
    if let misread { return [(.model, "\(misread): its bytes are not those of this request")] }
    guard let history else { return [] }
    switch history.check(limit: 5000) {
    case .linearizable: report.searches.decided += 1
    case .undecided: report.searches.undecided += 1
    case .illegal(let text): return [(.linearizability, text)]
    }
    return []
  }
}

extension Story {
  /// Lives the story through with clients of the key-value store. Here, and not where it is called, so that the compiler makes one piece of
  /// code for this state machine.
  /// One story in eight is searched for an order too.
  public func runKeyValue(tracing: Bool = false) -> RunReport {
    Run(self, KeyValueWorkload(scale, searchingForOrder: seed % 8 == 0), tracing: tracing).run()
  }
}
