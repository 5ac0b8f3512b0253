import Raft

/// What an object does when its operations come one after the other: what a concurrent history is held against (Herlihy and Wing,
/// "Linearizability: a correctness condition for concurrent objects", 1990).
///
/// `initial`, `step` and nothing else are enough for a right verdict. The rest, with which a model says more about its operations, makes
/// the search short.
public protocol SequentialModel {
  /// Compared and hashed at each step: keep it small.
  associatedtype State: Hashable
  /// What a client asked for, with what it was told if it was told anything.
  /// Equal ones can take each other's place.
  associatedtype Operation: Hashable
  /// Something that is true of some states and not of others, such as that a register has the value 3.
  associatedtype Fact: Hashable = Never

  var initial: State { get }

  /// The state after the operation; `nil` if what the client was told cannot be told in this state.
  func step(_ state: State, _ operation: Operation) -> State?

  /// Whether the operation, with the answer it got, changes no state whatever. The search places it as soon as its answer fits.
  func isReadOnly(_ operation: Operation) -> Bool

  /// Facts that must be true just before the operation, or its answer cannot be. Some may be missing.
  func needs(_ operation: Operation) -> [Fact]

  /// Facts that the operation may make true. None may be missing.
  func makes(_ operation: Operation) -> [Fact]

  func holds(_ fact: Fact, in state: State) -> Bool

  /// Facts that were true before a step and are not after it. Some may be missing.
  func lost(from before: State, to after: State) -> [Fact]
}

extension SequentialModel {
  public func isReadOnly(_ operation: Operation) -> Bool { false }
}

extension SequentialModel where Fact == Never {
  public func needs(_ operation: Operation) -> [Never] { [] }
  public func makes(_ operation: Operation) -> [Never] { [] }
  public func holds(_ fact: Never, in state: State) -> Bool {}
  public func lost(from before: State, to after: State) -> [Never] { [] }
}

/// An operation of a history, with the span of time in which it took effect, if it did.
public struct TimedOperation<Operation: Hashable> {
  public var operation: Operation
  public var called: Instant
  /// `nil`: nobody was ever told, so it took effect at any time after the call, or never will.
  public var returned: Instant?
  /// Where it may stand among the others, smaller first. The search tries this order first and believes nothing of it: a wrong guess costs
  /// time and changes no verdict.
  public var guess: Int64?

  public init(_ operation: Operation, called: Instant, returned: Instant?, guess: Int64? = nil) {
    self.operation = operation
    self.called = called
    self.returned = returned
    self.guess = guess
  }
}

/// What a search for linearizability found.
public enum LinearizabilityVerdict<Explanation> {
  /// Some order of the operations keeps to real time and explains every answer.
  case linearizable
  /// No order does.
  case illegal(Explanation)
  /// So many configurations were visited without finding an order, and some were not.
  case undecided(visited: Int)
}

extension LinearizabilityVerdict: Equatable where Explanation: Equatable {}
extension LinearizabilityVerdict: Sendable where Explanation: Sendable {}

/// How far the search came in a history that is not linearizable. Operations are named by their place in the history.
public struct Impasse<State> {
  /// The longest beginning of an order that was found.
  public let placed: [Int]
  /// The state after it.
  public let state: State
  /// What could come next as far as real time goes, and cannot as far as the answers go. The first one is the most urgent.
  public let blocked: [Int]
}
