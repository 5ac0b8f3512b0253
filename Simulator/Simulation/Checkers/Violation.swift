import Raft

/// What a checker found wrong.
public struct Violation: Sendable, Equatable, CustomStringConvertible {
  public enum Checker: String, Sendable, CaseIterable {
    /// At most one leader in a term (Raft paper, figure 3).
    case electionSafety
    /// Two logs that have an entry of the same index and term are the same up to it; what a node confirms, its leader has just so.
    case logMatching
    /// A leader has every entry that was committed before, and commits by entries of its own term.
    case leaderCompleteness
    /// What one node committed, none has otherwise.
    case stateMachineSafety
    /// Term, commit index and applied index only grow while a process lives.
    case monotonicity
    /// What is promised to others is durable first; what was confirmed is there after a restart; what is committed is durable on a quorum.
    case durability
    /// What a node holds, and does in one turn, keeps to its bounds.
    case bounds
    /// A node starts from whatever it left, and ends only if its disk fails.
    case recovery
    /// Nothing that an intruder says changes anything.
    case authenticity
    /// Nothing wakes itself without end.
    case livelock
    /// Every request is answered once, and done at most once; not after its client was told that it was not.
    case exactlyOnce
    /// Answers are what the log says.
    case answers
    /// The state machine does what a model of it does that was written apart.
    case model
    /// What is restored from a snapshot is what was saved, and goes on like it.
    case snapshot
    /// A read sees what had been answered before it began.
    case freshness
    /// Watchers are told what the log did: in order, all of it that concerns them, once.
    case watching
    /// Leases last for their time, and end with their keys at once; who holds no lock any more writes nothing under it.
    case leases
    /// There is an order of all operations, one after the other, that explains every answer.
    case linearizability
    /// What an application on top of the state machine promises its users.
    case application
    /// A majority that is healthy for a while serves; once the faults are over, it comes to agree.
    case liveness
  }

  public let checker: Checker
  public let text: String
  public let at: Instant

  public init(_ checker: Checker, _ text: String, at: Instant) {
    self.checker = checker
    self.text = text
    self.at = at
  }

  public var description: String { "\(checker.rawValue) at \(at.nanoseconds / 1_000_000) ms: \(text)" }
}
