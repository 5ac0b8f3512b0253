import ByteCoding

/// What a frame is for. The one table of kinds: a case's number is its byte on the wire, and its name is what traces and reports call it.
package enum FrameKind: UInt8, CaseIterable, Sendable {
  case bootstrap = 1
  case wrongCluster = 2
  case greeting = 3
  case introduction = 4
  case questions = 5
  case answers = 6

  // Consensus messages, which name a term.
  case preVoteRequest = 16
  case preVoteResponse = 17
  case voteRequest = 18
  case voteResponse = 19
  case append = 20
  case appendAccepted = 21
  case appendRejected = 22
  case heartbeat = 23
  case heartbeatResponse = 24
  case commit = 25
  case snapshotBlock = 26
  case snapshotProgress = 27
  case readRequest = 28
  case readResponse = 29
  case proposals = 30
  case proposalsRefused = 31
  case outdated = 32
  case timeoutNow = 33
  case transferVoteRequest = 34
  case removed = 35

  /// Of a whole frame, as it was encoded; `nil` if this release knows none like it.
  package init?(of frame: [UInt8]) {
    guard let kind = (try? Frame.open(frame))?.header.kind else { return nil }
    self = kind
  }

  package var name: String { "\(self)" }

  /// A commit index goes after the entries that it is about.
  var lane: Lane {
    switch self {
    case .append, .commit, .snapshotBlock, .proposals: .data
    case .bootstrap, .wrongCluster, .greeting, .introduction, .questions, .answers, .preVoteRequest, .preVoteResponse,
      .voteRequest, .voteResponse, .appendAccepted, .appendRejected, .heartbeat, .heartbeatResponse, .snapshotProgress, .readRequest,
      .readResponse, .proposalsRefused,
      .outdated, .timeoutNow, .transferVoteRequest, .removed:
      .control
    }
  }

  /// Only the leader of the frame's term may send it: entries, heartbeats, blocks of snapshots, answers to reads, hand-overs.
  var isLeaders: Bool {
    switch self {
    case .append, .heartbeat, .commit, .snapshotBlock, .readResponse, .timeoutNow: true
    case .bootstrap, .wrongCluster, .greeting, .introduction, .questions, .answers, .preVoteRequest, .preVoteResponse,
      .voteRequest, .voteResponse, .appendAccepted, .appendRejected, .heartbeatResponse, .snapshotProgress, .readRequest, .proposals,
      .proposalsRefused, .outdated,
      .transferVoteRequest, .removed:
      false
    }
  }
}
