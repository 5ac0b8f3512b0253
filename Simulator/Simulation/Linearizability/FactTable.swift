import Raft

/// Counts, for each fact of a history, the operations not placed yet that need it and those that can make it true.
struct FactTable<Fact: Hashable> {
  private var numbers: [Fact: Int] = [:]
  /// By operation.
  private var needs: [[Int]] = []
  private var makes: [[Int]] = []
  /// By fact.
  private var needers: [Int] = []
  private var makers: [Int] = []
  private(set) var facts: [Fact] = []
  private var firstMade: [Instant] = []

  /// What an operation that may never happen needs does not count.
  init<Model: SequentialModel>(_ model: Model, _ history: [TimedOperation<Model.Operation>]) where Model.Fact == Fact {
    for timed in history {
      needs.append(timed.returned == nil ? [] : model.needs(timed.operation).map { number(of: $0) })
      makes.append(model.makes(timed.operation).map { number(of: $0) })
    }
    for (operation, timed) in history.enumerated() {
      for fact in needs[operation] { needers[fact] += 1 }
      for fact in makes[operation] {
        makers[fact] += 1
        firstMade[fact] = min(firstMade[fact], timed.called)
      }
    }
  }

  private mutating func number(of fact: Fact) -> Int {
    if let number = numbers[fact] { return number }
    numbers[fact] = facts.count
    facts.append(fact)
    needers.append(0)
    makers.append(0)
    firstMade.append(.never)
    return facts.count - 1
  }

  /// The facts that an operation needs, each with the instant before which nobody had asked to make it true.
  func needs(of operation: Int) -> [(fact: Fact, firstMade: Instant)] { needs[operation].map { (facts[$0], firstMade[$0]) } }

  mutating func place(_ operation: Int) {
    for fact in needs[operation] { needers[fact] -= 1 }
    for fact in makes[operation] { makers[fact] -= 1 }
  }

  mutating func takeBack(_ operation: Int) {
    for fact in needs[operation] { needers[fact] += 1 }
    for fact in makes[operation] { makers[fact] += 1 }
  }

  /// Whether a fact that is not true now is needed still, and nothing is left to make it true.
  func isMissed(_ fact: Fact) -> Bool {
    guard let number = numbers[fact] else { return false }
    return needers[number] > 0 && makers[number] == 0
  }
}
