import KeyValue
import Raft
import Replica

/// What clients of a key-value store asked, and what they were told: held against the store's sequential meaning by a search that knows
/// neither the log nor the order of the revisions. A cross-check for an oracle that believes both.
///
/// It looks at values: which keys exist, which value each has, whether a comparison held, how many keys were deleted. Keys that no
/// operation joins are searched apart, and a key that nobody looks at not at all. Two operations that put the same value at the same key
/// cannot be told apart, so a workload that puts each value once is checked most sharply.
public struct KeyValueHistory {
  public enum Outcome: Sendable {
    /// It was done, and this is what it answered.
    case done(Response)
    /// Certainly not done: nobody may ever see an effect of it.
    case refused
    /// Nobody knows: it was done, or will be, or never is.
    case unknown
  }

  public typealias Verdict = LinearizabilityVerdict<String>

  struct Record {
    let id: RequestID
    let request: Request
    let called: Instant
    var end: (outcome: Outcome, at: Instant)?

    var answer: Response? {
      if case .done(let answer) = end?.outcome { answer } else { nil }
    }

    var isRefused: Bool {
      if case .refused = end?.outcome { true } else { false }
    }
  }

  /// In the order in which they were asked.
  private var records: [Record] = []
  private var places: [RequestID: Int] = [:]

  public init() {}

  /// A client asks. A read is a `Request.range`; one that may be stale does not belong here.
  public mutating func asked(_ id: RequestID, _ request: Request, at instant: Instant) {
    places[id] = records.count
    records.append(Record(id: id, request: request, called: instant))
  }

  /// The client is told. What was never asked, or was answered before, is ignored.
  public mutating func answered(_ id: RequestID, _ outcome: Outcome, at instant: Instant) {
    guard let place = places[id], records[place].end == nil else { return }
    records[place].end = (outcome, instant)
  }

  /// Whether the operations can have happened one after the other. Those not answered by now count as unknown.
  ///
  /// - Parameter limit: how many configurations to visit for each group of keys before giving up; each takes some hundred bytes.
  public func check(limit: Int = 20_000) -> Verdict {
    let records = records.filter { !$0.isRefused }
    let names = KeyValueNames(records)
    var translation = KeyValueTranslation(names)
    var operations: [KeyValueOperation] = []
    for (place, record) in records.enumerated() {
      if let answer = record.answer {
        guard let actions = translation.actions(of: record.request, answered: answer.result) else {
          return .illegal("\(record) is no answer that this request can have, whatever was done before")
        }
        operations.append(KeyValueOperation(record: place, actions: actions))
      } else {
        guard let ways = translation.actionsUnanswered(record.request) else { return .undecided(visited: 0) }
        operations += ways.map { KeyValueOperation(record: place, actions: $0) }
      }
    }
    return search(operations, records, names, limit: limit)
  }

  private func search(_ operations: [KeyValueOperation], _ records: [Record], _ names: KeyValueNames, limit: Int) -> Verdict {
    var undecided = 0
    for group in KeyValueGroup.groups(of: operations, keyCount: names.keys.count) {
      let history = group.operations.map { $0.timed(records[$0.record], names) }
      var search = LinearizabilitySearch(KeyValueModel(keys: group.keys), history)
      switch search.run(limit: limit) {
      case .linearizable: break
      case .illegal(let impasse): return .illegal(explain(impasse, group, records, names))
      case .undecided(let visited): undecided += visited
      }
    }
    return undecided == 0 ? .linearizable : .undecided(visited: undecided)
  }

  private func explain(_ impasse: Impasse<[ValueNumber]>, _ group: KeyValueGroup, _ records: [Record], _ names: KeyValueNames) -> String {
    func lines(_ operations: some Collection<Int>) -> String {
      operations.map { "\n  \(records[group.operations[$0].record])" }.joined()
    }
    let shownPlaced = 8
    let shownBlocked = 8
    let keys = group.keys.map { text(names.keys[$0]) }.joined(separator: ", ")
    let count = group.operations.count { records[$0.record].answer != nil }
    let placed = impasse.placed.count { records[group.operations[$0].record].answer != nil }
    return """
      no order of the \(count) answered operations on \(keys) explains their answers; the longest beginning of one has \(placed). Its end:\
      \(placed == 0 ? "\n  (nothing)" : lines(impasse.placed.suffix(shownPlaced)))
      then none of these can come, and the first of them must:\(lines(impasse.blocked.prefix(shownBlocked)))
      """
  }
}

/// A request as the search sees it.
struct KeyValueOperation {
  /// Its place among the records.
  let record: Int
  var actions: [KeyValueAction]

  /// A revision is no more than a guess at the order: twice the revision for what made it, one more for what saw it.
  func timed(_ record: KeyValueHistory.Record, _ names: KeyValueNames) -> TimedOperation<[KeyValueAction]> {
    guard let answer = record.answer, let end = record.end else {
      let guess = actions.writes.lazy.compactMap(names.revision).first.map { $0 &* 2 }
      return TimedOperation(actions, called: record.called, returned: nil, guess: guess)
    }
    return TimedOperation(actions, called: record.called, returned: end.at, guess: answer.revision &* 2 &+ (actions.writes.isEmpty ? 1 : 0))
  }
}
