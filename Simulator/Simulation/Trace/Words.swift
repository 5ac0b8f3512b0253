import Raft
import Replica

/// What replicas say, in as few words as a diagram has room for.
extension RequestError {
  /// `no leader, not done`; `deadline passed, outcome unknown`.
  var shortText: String {
    let what =
      switch reason {
      case .noLeader: "no leader"
      case .notFormed: "not formed"
      case .deadlineExceeded: "deadline passed"
      case .cancelled: "cancelled"
      case .busy: "busy"
      case .tooLarge: "too large"
      case .superseded: "the node fell behind"
      case .stopped: "the node stops"
      case .storage(let text): "disk failed: \(text)"
      }
    return "\(what), \(outcome == .notDone ? "not done" : "outcome unknown")"
  }
}

extension SimulatedCluster.Outcome {
  /// What a client was told, and whether it got what it wanted.
  func words(output: (Machine.Output) -> String, view: (Machine.View) -> String) -> (text: String, isGood: Bool) {
    switch self {
    case .applied(let answer): (output(answer), true)
    case .view(let seen, _, let staleness): (view(seen) + (staleness == nil ? "" : ", perhaps stale"), true)
    case .failed(let error): (error.shortText, false)
    }
  }
}

extension Diagnostic {
  /// `follows b in term 4`; `name` gives a node's name, if it is known.
  func shortText(name: (NodeID) -> String?) -> String {
    switch self {
    case .waitingForMembers(let names): "waits for \(names.joined(separator: ", "))"
    case .formed(let cluster): "formed cluster \(cluster)"
    case .becameLeader(let term): "leads term \(term)"
    case .lostLeadership(let term, let why): "leads term \(term) no more: \(why)"
    case .follows(let leader, let term): "follows \(name(leader) ?? "\(leader)") in term \(term)"
    case .snapshotTaken(let index): "took a snapshot at \(index)"
    case .snapshotInstalled(let index): "installed the snapshot at \(index)"
    case .snapshotFailed(let index, let why): "snapshot at \(index) failed: \(why)"
    case .logUnreadable(let index, let why): "cannot read entry \(index) for a peer: \(why)"
    case .slowsDown(let follower, let rate): "slows down to \(rate) bytes a second for \(name(follower) ?? "\(follower)")"
    case .fullSpeed: "goes on at full speed"
    case .refusedFrame(let why): "refused a frame: \(why)"
    case .refusedByCluster(let why): "refused by the cluster: \(why)"
    case .contradiction(let why): "stopped, since what is committed is contradicted: \(why)"
    }
  }
}

extension Fault {
  /// What is done to whom, without what stands beside it: the node that it hits alone, and how long it lasts.
  /// - Parameter sides: the two parts into which it splits the members, if it does.
  func shortText(at name: String, sides: (one: [String], other: [String])) -> String {
    let split = "\(sides.one.joined(separator: ", ")) | \(sides.other.joined(separator: ", "))"
    return switch kind {
    case .crash: "crash"
    case .powerLoss: "power loss"
    case .totalPowerLoss: "power loss of all"
    case .crashAtWork: "crash \(afterCalls)"
    case .powerLossAtWork: "power loss \(afterCalls)"
    case .crashDuringRecovery: "start, and \(amount & 1 == 1 ? "power loss" : "crash") \(afterCalls)"
    case .crashThenPowerLoss: "crash \(afterCalls), restart, power loss"
    case .stop: "stop"
    case .restartStorm: "crash every \(amount) ms"
    case .pause: "pause"
    case .suspend: "pause, clock too"
    case .slowNode: "slow: turns of \(amount) µs"
    case .isolation: "isolation of \(name)"
    case .oneWayCut: "cut \(name) → \(other)"
    case .halfDeaf: amount & 1 == 0 ? "unheard: nothing leaves \(name)" : "deaf: nothing reaches \(name)"
    case .partition, .minority: "partition \(split)"
    case .bridge: "partition \(split), bridge \(name)"
    case .ring: "ring: neighbours only"
    case .flapping: "flapping \(name) – \(other) every \(amount) ms"
    case .clog: "clog \(name) → \(other)"
    case .loss: "loss of \(perCent)"
    case .duplication: "duplicates of \(perCent)"
    case .echo: "echoes up to \(amount) ms late"
    case .corruption: "damage to \(perCent)"
    case .slowNetwork: "slow network: up to \(amount) ms"
    case .narrowNetwork: "narrow network: \(amount) kB/s"
    case .slowDisk: "slow disk: syncs of up to \(amount) ms"
    case .stalledDisk: "stalled disk"
    case .fullDisk: "full disk: \(amount) bytes left"
    case .failedWrite: "failed write, after \(amount)"
    case .failedSync: "failed sync, after \(amount)"
    case .failedName: "failed open or rename, after \(amount)"
    case .failedRead: "failed read, after \(amount)"
    case .rot: "rot of the disk"
    case .misdirectedWrite: "misdirected write"
    case .wipedDisk: "wiped disk"
    case .drift: "clock \(amount < 0 ? "slow" : "fast") by \(Self.tenths(amount.magnitude / 1000))%"
    case .wrongList: "wrong list of members"
    }
  }

  private var afterCalls: String { "after \(amount) disk calls" }
  private var perCent: String { "\(Self.tenths(amount.magnitude))% of frames" }

  private static func tenths(_ count: UInt64) -> String { count % 10 == 0 ? "\(count / 10)" : "\(count / 10).\(count % 10)" }
}
