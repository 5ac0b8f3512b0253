import ByteCoding
import Raft
import Replica

/// Judges what clients were told, in O(n): it sees each command when the first node commits it, applies it to a state machine of its own,
/// and holds every answer against that.
///
/// The log orders the changes; real time orders the answers: what was answered before an operation began, the operation must see.
struct Oracle<Load: Workload> {
  typealias Machine = Load.Machine

  private(set) var violations: [Violation] = []
  private var reference = Machine()
  /// The state after each entry of the log, and its digest once somebody asked; the first is the empty state.
  private var states: [(view: Machine.View, digest: UInt64?)]
  /// Open requests, and the last index that anybody had been told of when they began.
  private var asked: [RequestID: LogIndex] = [:]
  /// What each committed command does, and where.
  private var done: [RequestID: (index: LogIndex, output: Machine.Output)] = [:]
  /// Requests whose client was told that nothing was done.
  private var denied: [RequestID: RequestError] = [:]
  private var known: LogIndex = 0
  /// Which request a proposal belongs to, `nil` if nobody asked for it: nodes number theirs themselves.
  var request: (Proposal) -> RequestID? = { $0.request }

  init() { states = [(Machine().view, nil)] }

  /// The newest committed state.
  var view: Machine.View { reference.view }
  var lastIndex: LogIndex { UInt64(states.count - 1) }
  var openRequests: Int { asked.count }

  mutating func report(_ judge: Violation.Judge, _ text: String, at now: Instant) {
    violations.append(Violation(judge, text, at: now))
  }

  mutating func ask(_ id: RequestID) { asked[id] = known }

  /// An entry that no node had committed before.
  mutating func commit(_ entry: Entry, at now: Instant) {
    guard entry.index == lastIndex + 1 else {
      return report(.stateMachineSafety, "entry \(entry.index) is committed after entry \(lastIndex)", at: now)
    }
    if entry.kind == .command, let proposal = try? Proposal(decoding: entry.payload) { commit(proposal, entry, at: now) }
    states.append((reference.view, nil))
  }

  private mutating func commit(_ proposal: Proposal, _ entry: Entry, at now: Instant) {
    let output = reference.apply([Command(index: entry.index, term: entry.term, payload: proposal.command)])
    guard let id = request(proposal) else {
      return report(.exactlyOnce, "entry \(entry.index) is a command that nobody asked for", at: now)
    }
    if let first = done[id] {
      report(.exactlyOnce, "request \(id) was committed at index \(first.index), and again at \(entry.index)", at: now)
    }
    if let error = denied[id] { report(.exactlyOnce, "request \(id) was committed at index \(entry.index) after: \(error)", at: now) }
    if let output = output.first { done[id] = (entry.index, output) }
  }

  /// In few words, if they tell the difference.
  private static func contrast(_ output: Machine.Output, _ expected: Machine.Output) -> String {
    let (said, right) = (Load.label(of: output), Load.label(of: expected))
    return said == right ? "\(output), the log says \(expected)" : "\(said), the log says \(right)"
  }

  mutating func answer(_ id: RequestID, _ outcome: SimulatedCluster<Machine>.Outcome, at now: Instant) {
    guard let floor = asked.removeValue(forKey: id) else {
      return report(.exactlyOnce, "request \(id) was answered twice, or never asked", at: now)
    }
    switch outcome {
    case .applied(let output):
      guard let (index, expected) = done[id] else {
        return report(.answers, "request \(id) was answered before it was committed", at: now)
      }
      if expected != output { report(.answers, "request \(id) was answered \(Self.contrast(output, expected))", at: now) }
      known = max(known, index)
    case .view(let view, let index, staleness: nil):
      if index < floor {
        report(.freshness, "read \(id) saw the state of entry \(index); entry \(floor) had been answered before it began", at: now)
      }
      compare(view, index, "read \(id)", at: now)
      known = max(known, index)
    case .view(let view, let index, staleness: _?): compare(view, index, "read \(id)", at: now)
    case .failed(let error) where error.outcome == .notDone:
      denied[id] = error
      if let first = done[id] {
        report(.exactlyOnce, "request \(id) was committed at index \(first.index), and its client told: \(error)", at: now)
      }
    case .failed: break
    }
  }

  /// What a node shows after entry `index` is what the log made of it.
  mutating func compare(_ view: Machine.View, _ index: LogIndex, _ who: String, at now: Instant) {
    guard index <= lastIndex else {
      return report(.stateMachineSafety, "\(who) saw the state of entry \(index), which nobody committed", at: now)
    }
    let place = Int(index)
    let expected = states[place].digest ?? Load.digest(of: states[place].view)
    states[place].digest = expected
    if Load.digest(of: view) != expected {
      report(.stateMachineSafety, "\(who) saw another state after entry \(index) than the log makes", at: now)
    }
  }
}
