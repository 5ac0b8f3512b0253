import Raft
import Replica

/// A second account of what a state machine does, written apart from it and as plainly as can be. Beside the oracle, which applies commands
/// to the same code that the nodes run and so shares its mistakes, it sees what all of them do wrong alike.
///
/// A value: the oracle keeps one for each entry of the log, so a copy must be cheap. Each function answers `nil` if all is right.
public protocol StateModel {
  associatedtype Machine: StateMachine

  /// The empty state.
  init()

  /// Does a committed command, and says what is wrong with the machine's answer.
  mutating func apply(_ command: Command, answered output: Machine.Output) -> String?

  /// What is wrong with a state that should be this one. May look at all of it: asked now and then, and of each snapshot.
  func difference(in view: Machine.View) -> String?

  /// What is wrong with what a client is shown that looks for `query`, in the words of its workload, in a state that should be this one.
  func difference(in view: Machine.View, lookingFor query: [UInt8]) -> String?
}

/// For a workload without a model: everything is right.
public struct NoModel<Machine: StateMachine>: StateModel {
  public init() {}
  public func apply(_ command: Command, answered output: Machine.Output) -> String? { nil }
  public func difference(in view: Machine.View) -> String? { nil }
  public func difference(in view: Machine.View, lookingFor query: [UInt8]) -> String? { nil }
}
