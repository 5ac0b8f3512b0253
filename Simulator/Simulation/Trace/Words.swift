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
      case .refused(let error): "\(error)"
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
    case .answered: ("answered by the leader", true)
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
    case .leaderActs(let what): what
    case .fullSpeed: "goes on at full speed"
    case .removed: "is no member any more"
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
    return switch harm {
    case .crash: "crash"
    case .powerLoss: "power loss"
    case .totalPowerLoss: "power loss of all"
    case .crashAtWork(let count): "crash \(Self.after(count))"
    case .powerLossAtWork(let count): "power loss \(Self.after(count))"
    case .crashDuringRecovery(let count, let losingPower): "start, and \(losingPower ? "power loss" : "crash") \(Self.after(count))"
    case .crashThenPowerLoss(let count): "crash \(Self.after(count)), restart, power loss"
    case .stop: "stop"
    case .restartStorm(let time): "crash every \(TraceText.lasting(time))"
    case .pause: "pause"
    case .suspend: "pause, clock too"
    case .slowNode(let time): "slow: turns of \(TraceText.lasting(time))"
    case .isolation: "isolation of \(name)"
    case .oneWayCut(let other): "cut \(name) → \(other)"
    case .halfDeaf(let hears): hears ? "unheard: nothing leaves \(name)" : "deaf: nothing reaches \(name)"
    case .partition, .minority: "partition \(split)"
    case .bridge: "partition \(split), bridge \(name)"
    case .ring: "ring: neighbours only"
    case .flapping(let other, let time): "flapping \(name) – \(other) every \(TraceText.lasting(time))"
    case .clog(let other): "clog \(name) → \(other)"
    case .loss(let count): "loss of \(Self.perCent(count))"
    case .duplication(let count): "duplicates of \(Self.perCent(count))"
    case .echo(let time): "echoes up to \(TraceText.lasting(time)) late"
    case .corruption(let count): "damage to \(Self.perCent(count))"
    case .slowNetwork(let time): "slow network: up to \(TraceText.lasting(time))"
    case .narrowNetwork(let rate): "narrow network: \(rate) kB/s"
    case .slowDisk(let time): "slow disk: syncs of up to \(TraceText.lasting(time))"
    case .stalledDisk: "stalled disk"
    case .fullDisk(let bytes): "full disk: \(bytes) bytes left"
    case .failedWrite(let count): "failed write, after \(count)"
    case .failedSync(let count): "failed sync, after \(count)"
    case .failedName(let count): "failed open or rename, after \(count)"
    case .failedRead(let count): "failed read, after \(count)"
    case .rot: "rot of the disk"
    case .misdirectedWrite: "misdirected write"
    case .wipedDisk: "wiped disk"
    case .drift(let rate): "clock \(rate < 0 ? "slow" : "fast") by \(Self.tenths(rate.magnitude / 1000))%"
    case .wrongList: "wrong list of members"
    case .intrusion: "intruders"
    case .join: "join"
    case .promote: "promote"
    case .remove: "remove"
    case .replace(let other): other.isEmpty ? "lost disk, and replace" : "replace by \(other)"
    case .move: "move"
    case .moveAll: "move all"
    case .transfer(let other): "hand over to \(other.isEmpty ? "the best" : other)"
    }
  }

  private static func after(_ calls: Int) -> String { "after \(calls) disk calls" }
  private static func perCent(_ perMille: Int) -> String { "\(tenths(UInt64(perMille.magnitude)))% of frames" }

  private static func tenths(_ count: UInt64) -> String { count % 10 == 0 ? "\(count / 10)" : "\(count / 10).\(count % 10)" }
}
