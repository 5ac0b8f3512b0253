import ByteCoding
import Raft
import Replica

/// Checks what clients were told, in O(n): it sees each command when the first node commits it, applies it to a state machine of its own,
/// and holds every answer against that.
///
/// The log orders the changes; real time orders the answers: what was answered before an operation began, the operation must see.
///
/// Its state machine is of the same code as the nodes'. If the workload has a model (`Workload.Model`), that is applied beside it, and
/// every answer, every second read and now and then the whole state is held against that too.
struct Oracle<Load: Workload> {
  typealias Machine = Load.Machine

  /// What the log comes to after one of its entries.
  struct State {
    let view: Machine.View
    /// Made when somebody asks.
    var digest: UInt64?
    let model: Load.Model
    /// What the entry did; `nil` if it was no command.
    let done: (command: Command, output: Machine.Output)?
  }

  /// The whole state is held against the model each time so many entries were committed.
  private static var statesComparedEvery: Int { 32 }
  /// Of the reads of what is right as a whole, the answer to every second one, as reads are many and alike.
  private static var readsComparedEvery: Int { 2 }

  private(set) var violations: [Violation] = []
  private var reference = Machine()
  private var model = Load.Model()
  private var readsSeen = 0
  /// After each entry of the log; the first is the empty state.
  private(set) var states: [State]
  /// Machines made of snapshots: see `Oracle+Snapshots.swift`.
  var restored = RestoredMachines<Machine>()
  /// Open requests, what the reads among them look for, and the last index that anybody had been told of when they began.
  private var asked: [RequestID: (floor: LogIndex, query: [UInt8])] = [:]
  /// What each committed command does, and where.
  private var done: [RequestID: (index: LogIndex, output: Machine.Output)] = [:]
  /// Requests whose client was told that nothing was done.
  private var denied: [RequestID: RequestError] = [:]
  private var known: LogIndex = 0
  /// Which request a proposal belongs to, `nil` if nobody asked for it: nodes number theirs themselves.
  var request: (Proposal) -> RequestID? = { $0.request }

  init() { states = [State(view: Machine().view, model: Load.Model(), done: nil)] }

  /// The newest committed state.
  var view: Machine.View { reference.view }
  var newestModel: Load.Model { model }
  /// That of the newest entry; `nil` if it is none.
  var newestCommand: Command? { states.last?.done?.command }
  var lastIndex: LogIndex { UInt64(states.count - 1) }
  var openRequests: Int { asked.count }

  mutating func report(_ checker: Violation.Checker, _ text: String, at now: Instant) {
    violations.append(Violation(checker, text, at: now))
  }

  /// - Parameter query: what a read looks for, in the words of the workload.
  mutating func ask(_ id: RequestID, lookingFor query: [UInt8] = []) { asked[id] = (known, query) }

  /// An entry that no node had committed before.
  mutating func commit(_ entry: Entry, at now: Instant) {
    guard entry.index == lastIndex + 1 else {
      return report(.stateMachineSafety, "entry \(entry.index) is committed after entry \(lastIndex)", at: now)
    }
    var done: (Command, Machine.Output)?
    if entry.kind == .command, let proposal = try? Proposal(decoding: entry.payload) { done = commit(proposal, entry, at: now) }
    states.append(State(view: reference.view, model: model, done: done))
    if states.count % Self.statesComparedEvery == 0 { compareWithModel(reference.view, lastIndex, "the log", at: now) }
    goOnWithRestored(at: now)
  }

  private mutating func commit(_ proposal: Proposal, _ entry: Entry, at now: Instant) -> (Command, Machine.Output)? {
    let command = Command(index: entry.index, term: entry.term, payload: proposal.command)
    guard let output = reference.apply([command]).first else { return nil }
    if let text = model.apply(command, answered: output) { report(.model, "entry \(entry.index), \(text)", at: now) }
    noteDone(proposal, entry, output, at: now)
    return (command, output)
  }

  private mutating func noteDone(_ proposal: Proposal, _ entry: Entry, _ output: Machine.Output, at now: Instant) {
    // A leader's own.
    if proposal.request == Proposal.unasked { return }
    guard let id = request(proposal) else {
      return report(.exactlyOnce, "entry \(entry.index) is a command that nobody asked for", at: now)
    }
    if let first = done[id] {
      report(.exactlyOnce, "request \(id) was committed at index \(first.index), and again at \(entry.index)", at: now)
    }
    if let error = denied[id] { report(.exactlyOnce, "request \(id) was committed at index \(entry.index) after: \(error)", at: now) }
    done[id] = (entry.index, output)
  }

  /// In few words, if they tell the difference.
  private static func contrast(_ output: Machine.Output, _ expected: Machine.Output) -> String {
    let (said, right) = (Load.label(of: output), Load.label(of: expected))
    return said == right ? "\(output), the log says \(expected)" : "\(said), the log says \(right)"
  }

  mutating func answer(_ id: RequestID, _ outcome: SimulatedCluster<Machine>.Outcome, at now: Instant) {
    guard let (floor, query) = asked.removeValue(forKey: id) else {
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
      compare(view, index, "read \(id)", lookingFor: query, at: now)
      known = max(known, index)
    case .view(let view, let index, staleness: _?): compare(view, index, "read \(id)", lookingFor: query, at: now)
    case .failed(let error) where error.outcome == .notDone:
      denied[id] = error
      if let first = done[id] {
        report(.exactlyOnce, "request \(id) was committed at index \(first.index), and its client told: \(error)", at: now)
      }
    case .answered, .failed: break
    }
  }

  /// What a node shows after entry `index` is what the log made of it, and so is what a reader finds there.
  mutating func compare(_ view: Machine.View, _ index: LogIndex, _ who: String, lookingFor query: [UInt8] = [], at now: Instant) {
    guard index <= lastIndex else {
      return report(.stateMachineSafety, "\(who) saw the state of entry \(index), which nobody committed", at: now)
    }
    let place = Int(index)
    let expected = states[place].digest ?? Load.digest(of: states[place].view)
    states[place].digest = expected
    if Load.digest(of: view) != expected {
      return report(.stateMachineSafety, "\(who) saw another state after entry \(index) than the log makes", at: now)
    }
    guard !query.isEmpty else { return }
    readsSeen += 1
    if readsSeen % Self.readsComparedEvery == 1, let text = states[place].model.difference(in: view, lookingFor: query) {
      report(.model, "\(who) after entry \(index), \(text)", at: now)
    }
  }

  /// Looks at all of a state. A digest may be as blind as what it is made of.
  mutating func compareWithModel(_ view: Machine.View, _ index: LogIndex, _ who: String, at now: Instant) {
    guard index <= lastIndex, let text = states[Int(index)].model.difference(in: view) else { return }
    report(.model, "\(who) after entry \(index): \(text)", at: now)
  }
}
