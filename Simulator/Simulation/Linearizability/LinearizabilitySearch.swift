import Raft

/// Looks for an order of a history's operations that keeps to real time and that a sequential model can explain.
///
/// Wing and Gong, "Testing and verifying concurrent objects" (1993): place an operation that nothing left must precede, go on from the
/// state it makes, take it back if that leads nowhere. With Lowe's memory ("Testing for linearizability", 2017): a configuration, which
/// is the set of the operations placed and the state, is looked into once. The problem is NP-complete; four rules keep it short where it
/// can be. None of them hides an order, as each only drops what another order that stays does as well:
///
/// - A read whose answer fits is placed at once and for good: wherever it stands in an order, it can stand here.
/// - A step that undoes a fact which is still needed, and which nothing left can make true again, leads nowhere.
/// - An operation whose outcome nobody knows has no time by which it must have happened. So it is only placed where it changes something
///   (or it could be left out), and where what comes next does not do as well without it, or before it (or it could stand later). An
///   unknown put of a value that nobody names, for one, is only placed for somebody who was told that the key exists, or that it has
///   another value than it had.
/// - Of operations that are the same and could each come next, only the one that returned first is tried: in an order that begins with
///   another one the two can change places.
///
/// Candidates are tried in the order of their guesses, then of their returns, which decides how soon an order is found, not whether.
public struct LinearizabilitySearch<Model: SequentialModel> {
  private struct Configuration: Hashable {
    let placed: [UInt64]
    let state: Model.State
    /// What may come next depends on it, so that it is part of what is remembered.
    let unforced: Unforced?
  }

  /// Operations whose outcome nobody knows, placed last of all, and the state before them.
  private struct Unforced: Hashable {
    let operations: [Int]
    let before: Model.State
  }

  private struct Frame {
    /// What was placed to get here.
    let operation: Int
    let state: Model.State
    let unforced: Unforced?
    /// Its part of `candidates`: from the first one to the end, or to the next frame's.
    let firstCandidate: Int
    var nextCandidate: Int
  }

  private let model: Model
  /// Those that returned in the order of their calls, then those that did not.
  private let history: [TimedOperation<Model.Operation>]
  private let returning: Int
  /// The caller's numbers of the operations.
  private let places: [Int]
  private let ranks: [Int]
  private let operationsByRank: [Int]
  private let isReadOnly: [Bool]
  /// The same number for operations that are the same.
  private let kinds: [Int]
  /// By kind, the ranks of its operations, ascending: the one placed next takes the place of the first that is left, whichever it is.
  private let ranksOfKind: [[Int]]

  private var entries: EntryList
  private var placed: PlacedSet
  private var facts: FactTable<Model.Fact>
  private var frames: [Frame] = []
  private var candidates: [Int] = []
  /// By kind, how many are placed.
  private var placedOfKind: [Int]
  /// By kind, while candidates are chosen: the one that is to be tried, and whether nobody can guess the place of one of the kind.
  private var chosen: [(operation: Int, isUnguessed: Bool)?]
  private var visited: Set<Configuration> = []
  private var returningLeft: Int
  private var deepest: (returningLeft: Int, impasse: Impasse<Model.State>)?

  /// An operation that was certainly not done is left out of the history.
  public init(_ model: Model, _ history: [TimedOperation<Model.Operation>]) {
    let places = history.indices.sorted { a, b in
      let (a, b) = ((history[a], a), (history[b], b))
      if (a.0.returned == nil) != (b.0.returned == nil) { return b.0.returned == nil }
      return (a.0.called, a.1) < (b.0.called, b.1)
    }
    self.model = model
    self.places = places
    self.history = places.map { history[$0] }
    returning = history.count { $0.returned != nil }
    returningLeft = returning
    operationsByRank = Self.operationsByRank(self.history)
    ranks = Self.inverse(operationsByRank)
    isReadOnly = self.history.map { $0.returned != nil && model.isReadOnly($0.operation) }
    kinds = Self.kinds(self.history)
    var ranksOfKind = [[Int]](repeating: [], count: history.count)
    for (operation, rank) in ranks.enumerated() { ranksOfKind[kinds[operation]].append(rank) }
    self.ranksOfKind = ranksOfKind.map { $0.sorted() }
    placedOfKind = [Int](repeating: 0, count: history.count)
    chosen = Array(repeating: nil, count: history.count)
    entries = EntryList(self.history.map { ($0.called, $0.returned) })
    placed = PlacedSet(count: history.count, returning: returning)
    facts = FactTable(model, self.history)
  }

  private static func operationsByRank(_ history: [TimedOperation<Model.Operation>]) -> [Int] {
    history.indices.sorted { a, b in
      let (a, b) = ((history[a], a), (history[b], b))
      return (a.0.guess ?? .max, a.0.returned ?? .never, a.1) < (b.0.guess ?? .max, b.0.returned ?? .never, b.1)
    }
  }

  private static func inverse(_ order: [Int]) -> [Int] {
    var places = [Int](repeating: 0, count: order.count)
    for (place, item) in order.enumerated() { places[item] = place }
    return places
  }

  private static func kinds(_ history: [TimedOperation<Model.Operation>]) -> [Int] {
    var known: [Model.Operation: Int] = [:]
    return history.map { timed in
      let kind = known[timed.operation] ?? known.count
      known[timed.operation] = kind
      return kind
    }
  }

  /// Searches from the beginning; call it once.
  ///
  /// - Parameter limit: how many configurations to visit before giving up; each takes some hundred bytes.
  public mutating func run(limit: Int) -> LinearizabilityVerdict<Impasse<Model.State>> {
    if let operation = fromNowhere() {
      return .illegal(Impasse(placed: [], state: model.initial, blocked: [places[operation]]))
    }
    enter(by: -1, state: model.initial, unforced: nil)
    while returningLeft > 0 {
      guard frames[frames.count - 1].nextCandidate < candidates.count else {
        noteImpasse()
        guard frames.count > 1 else { break }
        leave()
        continue
      }
      let candidate = candidates[frames[frames.count - 1].nextCandidate]
      frames[frames.count - 1].nextCandidate += 1
      attempt(candidate)
      if visited.count > limit, returningLeft > 0 { return .undecided(visited: visited.count) }
    }
    guard returningLeft > 0, let deepest else { return .linearizable }
    return .illegal(deepest.impasse)
  }

  /// An operation that shows what nobody had asked for by the time it returned. Without this look, all that came before would have to be
  /// tried in every order first.
  private func fromNowhere() -> Int? {
    (0..<returning).first { operation in
      facts.needs(of: operation).contains { fact, firstMade in
        firstMade > history[operation].returned ?? .never && !model.holds(fact, in: model.initial)
      }
    }
  }

  // MARK: Steps

  private mutating func attempt(_ candidate: Int) {
    let frame = frames[frames.count - 1]
    guard let state = successor(of: frame, by: candidate) else { return }
    let unforced = unforced(after: frame, candidate)
    place(candidate)
    let leadsOn =
      !model.lost(from: frame.state, to: state).contains(where: facts.isMissed)
      && visited.insert(Configuration(placed: placed.key, state: state, unforced: unforced)).inserted
    if leadsOn { enter(by: candidate, state: state, unforced: unforced) } else { takeBack(candidate) }
  }

  /// The state after the candidate; `nil` if it cannot come next, or need not.
  private func successor(of frame: Frame, by candidate: Int) -> Model.State? {
    let operation = history[candidate].operation
    guard let state = model.step(frame.state, operation) else { return nil }
    if candidate >= returning, state == frame.state { return nil }
    return frame.unforced.map { canDoWithout($0, then: candidate, for: state) } ?? false ? nil : state
  }

  private func unforced(after frame: Frame, _ candidate: Int) -> Unforced? {
    guard candidate >= returning else { return nil }
    return Unforced(
      operations: (frame.unforced?.operations ?? []) + [candidate], before: frame.unforced?.before ?? frame.state)
  }

  /// Whether the candidate makes the same state without one of the unforced operations, or before it.
  private func canDoWithout(_ unforced: Unforced, then candidate: Int, for state: Model.State) -> Bool {
    let operations = unforced.operations
    var reached = unforced.before
    for (index, operation) in operations.enumerated() {
      let rest = operations[(index + 1)...]
      if canDoWithout(operation, from: reached, rest, then: candidate, for: state) { return true }
      reached = model.step(reached, history[operation].operation) ?? reached
    }
    return false
  }

  private func canDoWithout(
    _ operation: Int, from reached: Model.State, _ rest: ArraySlice<Int>, then candidate: Int, for state: Model.State
  ) -> Bool {
    let before = rest.reduce(reached) { state, other in model.step(state, history[other].operation) ?? state }
    guard let without = model.step(before, history[candidate].operation) else { return false }
    if without == state { return true }
    // Of two that may both stand later, the order is that of the ranks.
    guard candidate < returning || (rest.isEmpty && ranks[candidate] < ranks[operation]) else { return false }
    return model.step(without, history[operation].operation) == state
  }

  private mutating func place(_ operation: Int) {
    entries.remove(operation, hasReturn: operation < returning)
    placed.insert(operation)
    facts.place(operation)
    placedOfKind[kinds[operation]] += 1
    if operation < returning { returningLeft -= 1 }
  }

  private mutating func takeBack(_ operation: Int) {
    entries.restore(operation, hasReturn: operation < returning)
    placed.remove(operation)
    facts.takeBack(operation)
    placedOfKind[kinds[operation]] -= 1
    if operation < returning { returningLeft += 1 }
  }

  private mutating func enter(by operation: Int, state: Model.State, unforced: Unforced?) {
    let first = candidates.count
    _ = entries.appendMinimal(to: &candidates)
    if let read = candidates[first...].first(where: { isReadOnly[$0] && model.step(state, history[$0].operation) != nil }) {
      candidates.removeSubrange(first...)
      candidates.append(read)
    } else {
      chooseCandidates(from: first)
    }
    frames.append(Frame(operation: operation, state: state, unforced: unforced, firstCandidate: first, nextCandidate: first))
  }

  /// Of each kind the one that returned first, at the place in the order of trial that the next of the kind has.
  ///
  /// Kinds of which nobody can guess the place come right after the first candidate that returned: if that one does not fit, what is
  /// missing may be one of them, and to go on without it would lead far astray.
  private mutating func chooseCandidates(from first: Int) {
    guard candidates.count > first + 1 else { return }
    let sorted = inOrderOfTrial(candidates[first...])
    candidates.removeSubrange(first...)
    for candidate in sorted {
      let other = chosen[kinds[candidate]]
      let isUnguessed = candidate >= returning && history[candidate].guess == nil
      let best = other.map { returnsBefore(candidate, $0.operation) ? candidate : $0.operation } ?? candidate
      chosen[kinds[candidate]] = (best, isUnguessed || other?.isUnguessed ?? false)
    }
    let firstReturning = sorted.firstIndex { $0 < returning } ?? sorted.count
    var guessed: [Int] = []
    for (index, candidate) in zip(sorted.indices, sorted) {
      guard let (operation, isUnguessed) = chosen[kinds[candidate]] else { continue }
      chosen[kinds[candidate]] = nil
      if index <= firstReturning || isUnguessed { candidates.append(operation) } else { guessed.append(operation) }
    }
    candidates += guessed
  }

  /// By their turns, then by their ranks: one number for both, made once for each.
  private func inOrderOfTrial(_ candidates: ArraySlice<Int>) -> [Int] {
    candidates.map { turn(of: $0) * ranks.count + ranks[$0] }.sorted().map { operationsByRank[$0 % ranks.count] }
  }

  private func turn(of candidate: Int) -> Int {
    let kind = kinds[candidate]
    return ranksOfKind[kind][placedOfKind[kind]]
  }

  private func returnsBefore(_ a: Int, _ b: Int) -> Bool {
    (history[a].returned ?? .never, ranks[a]) < (history[b].returned ?? .never, ranks[b])
  }

  private mutating func leave() {
    let frame = frames.removeLast()
    candidates.removeSubrange(frame.firstCandidate...)
    takeBack(frame.operation)
  }

  private mutating func noteImpasse() {
    guard returningLeft < deepest?.returningLeft ?? .max, let frame = frames.last else { return }
    var blocked: [Int] = []
    let urgent = entries.appendMinimal(to: &blocked)
    blocked.removeAll { $0 >= returning }
    blocked.sort { [ranks] in ($0 == urgent ? -1 : ranks[$0]) < ($1 == urgent ? -1 : ranks[$1]) }
    let impasse = Impasse(
      placed: frames.dropFirst().map { places[$0.operation] }, state: frame.state, blocked: blocked.map { places[$0] })
    deepest = (returningLeft, impasse)
  }
}
