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

  public init() { self.init(Story.Scale(), searchingForOrder: true) }

  /// `searchingForOrder` says whether a run ends with a search for linearizability, which takes a fifth of the run's time.
  public init(_ scale: Story.Scale, searchingForOrder: Bool) {
    keys = scale.keys
    valueBytes = scale.valueBytes
    history = searchingForOrder ? KeyValueHistory() : nil
  }

  public mutating func operation(_ number: UInt64, seeing view: KeyValueView, using random: inout PseudoRandom) -> ClientOperation {
    let place = random.below(keys)
    let key = Self.key(place)
    // Not for those who only read: large ones take their time.
    let valueBytes = valueBytes
    var value: [UInt8] { Array("v\(number)".utf8) + [UInt8](repeating: 0x78, count: valueBytes) }
    switch random.below(21) {
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
      case 0: drawer.change(&random)
      case 1...4: .transaction(drawer.transaction(&random))
      case 5...6: .range(drawer.range(&random))
      default: .transaction(drawer.reads(&random))
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
    guard history != nil else { return }
    let bytes: [UInt8]
    switch operation.kind {
    case .command(let command): bytes = command
    // A stale read may come from any moment.
    case .read(.serializable, _): return
    case .read(.linearizable, let query): bytes = query
    }
    guard let request = try? Request(decoding: bytes[...]) else { return }
    reads[id] = operation.isRead ? request : nil
    history?.asked(id, request, at: now)
  }

  public mutating func answered(_ id: RequestID, _ answer: ClientAnswer<KeyValueMachine>, at now: Instant) {
    guard history != nil else { return }
    let read = reads.removeValue(forKey: id)
    switch answer {
    case .output(.success(let answer)): history?.answered(id, .done(answer), at: now)
    case .output(.failure), .notDone: history?.answered(id, .refused, at: now)
    case .unknown: history?.answered(id, .unknown, at: now)
    case .view(let view, _):
      guard let read, let answer = try? view.answer(read).get() else { return }
      history?.answered(id, .done(answer), at: now)
    }
  }

  public mutating func finalViolations(_ report: inout RunReport, view: KeyValueView) -> [(checker: Violation.Checker, text: String)] {
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
