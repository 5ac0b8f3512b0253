import ByteCoding

/// What members say to each other. Loss, duplication, delay and reordering are all harmless.
public struct Message: Sendable, Equatable {
  /// No term and no index of a cluster ever comes near this; a message that names a higher one is refused, so that counting on from what a
  /// message says cannot overflow.
  static let maximumNumber: UInt64 = 1 << 62

  public let from: NodeID
  public let to: NodeID
  /// The sender's term. In a pre-vote request, and in a granted answer to one, the term that the election would have.
  public let term: Term
  public let body: Body

  public init(from: NodeID, to: NodeID, term: Term, body: Body) {
    self.from = from
    self.to = to
    self.term = term
    self.body = body
  }

  public enum Body: Sendable, Equatable {
    /// Would you vote for me? Changes no state of the receiver (dissertation, section 9.6).
    case preVoteRequest(last: LogPosition)
    case preVoteResponse(granted: Bool)
    case voteRequest(last: LogPosition)
    case voteResponse(granted: Bool)
    /// Entries that follow `previous`; the receiver takes them only if it has that position.
    case append(previous: LogPosition, entries: [Entry], commit: LogIndex)
    /// The log is the leader's up to here, and durable.
    case appendAccepted(match: LogIndex)
    /// The log lacks `previous`. `hint`: the last position that may be common to both logs.
    case appendRejected(previous: LogIndex, hint: LogPosition)
    /// I lead. `round` grows by one with each round of one term; `confirmed`: the receiver's log was the leader's up to here, and
    /// durable, by the answers that had come.
    case heartbeat(round: UInt64, commit: LogIndex, confirmed: LogIndex)
    /// `received`: how far the log is the leader's; `match`: how far that is durable.
    case heartbeatResponse(round: UInt64, confirmed: LogIndex, received: LogIndex, match: LogIndex)
    /// Entries up to here are committed; no answer.
    case commit(LogIndex)
    /// One block of a snapshot, which lies in `file`: blocks of another file of the same position do not go with it.
    case snapshotBlock(SnapshotDescriptor, number: Int, block: Bytes, last: Bool, file: SnapshotFingerprint = .unknown)
    /// The receiver of a snapshot has all blocks before `next` and wants that one.
    case snapshotProgress(LogPosition, next: Int)
    /// From which index on may I read? The id comes back; it is never used again.
    case readRequest(ReadID)
    case readResponse(ReadID, index: LogIndex)
    /// Commands for the leader to append, from a client of the sender. `sequence` grows within a `stream`, which a node begins anew at each
    /// start: so what the network delivers twice is appended once.
    case proposals(stream: UInt64, sequence: UInt64, [Bytes])
    /// These were not appended, and never will be.
    case proposalsRefused(stream: UInt64, sequence: UInt64)
    /// Stand for election at once: the sender, who leads, hands over.
    case timeoutNow
    /// A vote request of a candidate that was told to stand: it is looked at even while a leader lives.
    case transferVoteRequest(last: LogPosition)
    /// The receiver is no member any more; no answer.
    case removed
    /// The answer to any request of an older term: the sender's term is all it says.
    case outdated
  }
}

/// Names one batch of reads of one node.
public typealias ReadID = UInt64
