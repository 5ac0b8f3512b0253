import Logging
import Replica

/// How a diagnostic looks in the log.
extension Diagnostic {
  var level: Logger.Level {
    switch self {
    case .formed, .becameLeader, .lostLeadership, .follows, .snapshotInstalled, .leaderActs, .fullSpeed: .notice
    case .waitingForMembers, .snapshotTaken: .info
    case .refusedFrame, .snapshotFailed, .logUnreadable, .slowsDown: .warning
    case .refusedByCluster, .contradiction, .removed: .critical
    }
  }

  var text: String {
    switch self {
    case .waitingForMembers: "waiting for the other members of the first configuration"
    case .formed: "the cluster has formed"
    case .becameLeader: "became leader"
    case .lostLeadership: "is leader no more"
    case .follows: "follows a leader"
    case .snapshotTaken: "took a snapshot"
    case .snapshotInstalled: "installed the leader's snapshot"
    case .snapshotFailed: "a snapshot failed, and will be tried again"
    case .logUnreadable: "part of the log cannot be read for a follower, which gets a snapshot instead: check the disk"
    case .slowsDown: "takes fewer commands, so that a follower that lags far behind can catch up"
    case .leaderActs(let what): what
    case .fullSpeed: "takes commands at full speed again"
    case .removed: "is no member any more, and never will be: stop it"
    case .refusedFrame: "refused a frame"
    case .refusedByCluster(let text), .contradiction(let text): text
    }
  }

  var metadata: Logger.Metadata {
    switch self {
    case .waitingForMembers(let names): ["members": .array(names.map { .string($0) })]
    case .formed(let cluster): ["cluster": "\(cluster)"]
    case .becameLeader(let term): ["term": "\(term)"]
    case .lostLeadership(let term, let why): ["term": "\(term)", "reason": "\(why)"]
    case .follows(let leader, let term): ["leader": "\(leader)", "term": "\(term)"]
    case .snapshotTaken(let index), .snapshotInstalled(let index): ["index": "\(index)"]
    case .snapshotFailed(let index, let why), .logUnreadable(let index, let why): ["index": "\(index)", "reason": "\(why)"]
    case .refusedFrame(let why): ["reason": "\(why)"]
    case .slowsDown(let follower, let rate): ["follower": "\(follower)", "bytes_per_second": "\(rate)"]
    case .refusedByCluster, .contradiction, .leaderActs, .fullSpeed, .removed: [:]
    }
  }
}
