import Raft

/// How fresh a read must be.
public enum Consistency: Sendable, Hashable {
  /// Sees everything that was acknowledged before the read began, on any node. Needs a quorum (dissertation, section 6.4).
  case linearizable
  /// This node's own state, at once: works without a quorum, and may be stale.
  case serializable
}

/// Why a request has no answer, and what that means for a retry.
public struct RequestError: Error, Hashable, Sendable, CustomStringConvertible {
  public enum Reason: Hashable, Sendable {
    /// No leader was found before the deadline.
    case noLeader
    /// The cluster has not formed: these members have not shown themselves, or have not agreed yet.
    case notFormed(awaited: [String])
    /// The deadline passed while the request was under way.
    case deadlineExceeded
    /// The caller does not wait any longer.
    case cancelled
    /// A queue is full: come back later.
    case busy
    /// Larger than a bound, both in bytes.
    case tooLarge(size: Int, limit: Int)
    /// This node fell behind and took up a snapshot, which may hold what was asked for or not.
    case superseded
    /// A request of an operator was not carried out.
    case refused(OperatorError)
    /// The node has stopped, or has not been started.
    case stopped
    /// The node's disk failed, so that it can promise nothing more.
    case storage(String)
  }

  /// What is known of the request's effect.
  public enum Outcome: Hashable, Sendable {
    /// It had none and will have none: a retry is safe.
    case notDone
    /// It may have been done, or may still be: retry only what is harmless twice, or look first.
    case unknown
  }

  public let reason: Reason
  public let outcome: Outcome

  public init(_ reason: Reason, outcome: Outcome) {
    self.reason = reason
    self.outcome = outcome
  }

  public var description: String {
    let what =
      switch reason {
      case .noLeader: "no leader: fewer than a majority of the cluster's nodes can reach each other"
      case .notFormed(let awaited):
        "the cluster has not formed yet" + (awaited.isEmpty ? "" : ", it waits for \(awaited.joined(separator: ", "))")
      case .deadlineExceeded: "the deadline passed"
      case .cancelled: "cancelled"
      case .busy: "busy: too many requests wait already"
      case .tooLarge(let size, let limit): "too large: \(size) bytes, at most \(limit) are allowed"
      case .superseded: "the node fell behind while the request was under way"
      case .refused(let error): error.description
      case .stopped: "the node does not run"
      case .storage(let text): "the node's disk failed: \(text)"
      }
    return outcome == .notDone ? "\(what); nothing was done, a retry is safe" : "\(what); outcome unknown, the request may have been done"
  }
}
