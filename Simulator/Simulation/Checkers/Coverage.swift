/// What of the code's own branches runs came through: those that only certain sizes, times or faults lead to. Seen from outside.
public struct Coverage: Sendable, Equatable {
  public enum Point: Int, Sendable, CaseIterable {
    case severalEventsInATurn, entriesLeftUnapplied, commandsForgotten, requestRefusedAsBusy, requestExpired, requestExpiredWithoutLeader
    case requestSuperseded, commandTooLarge, slowedDown, fullSpeedAgain
    case windowFull, uncommittedFull, forwardedRefused, readsFull, withheldFull, probeRepeated
    case lostToNewerTerm, lostWithoutMajority, ledAgain
    case memoryForgot, readFromDisk, logUnreadable, suffixReplaced, logBegunAnew, batchSplit
    case segmentDropped, unfinishedSegmentRemoved, startRepaired
    case snapshotOfSeveralBlocks, snapshotBeyondWindow, transferRepeated, transferWaited, blocksFull, snapshotFailed, snapshotRefused
    case newestSnapshotBad
    case operatorRequestDone, operatorRequestFailed, transferredToBest, transferredToNamed, learnerAdded, promotedOnRequest, memberRemoved
    case promotedByItself, memberReplaced, leaderRemoved, disksReplaced, addressChanged, allAddressesChanged, grownFromOne
    case handedOverByItself
    case strangerRefused, impostorRefused, foreignerRefused, strayRefused, formerMemberRefused, formerMemberRepeated

    public var text: String {
      switch self {
      case .severalEventsInATurn: "several events in a turn"
      case .entriesLeftUnapplied: "a turn left committed entries unapplied"
      case .commandsForgotten: "answered commands were forgotten"
      case .requestRefusedAsBusy: "a request was refused as busy"
      case .requestExpired: "a request expired"
      case .requestExpiredWithoutLeader: "a request expired without a leader"
      case .requestSuperseded: "a request was superseded by a snapshot"
      case .commandTooLarge: "a command was too large"
      case .slowedDown: "a leader slowed down for a follower"
      case .fullSpeedAgain: "a leader took up full speed again"
      case .windowFull: "the window of appends was full"
      case .uncommittedFull: "a leader's own commands waited for room"
      case .forwardedRefused: "forwarded commands were refused"
      case .readsFull: "a leader had no room for reads"
      case .withheldFull: "messages that waited for the disk were dropped"
      case .probeRepeated: "a lost probe was repeated"
      case .lostToNewerTerm: "a leader gave way to a newer term"
      case .lostWithoutMajority: "a leader lost its majority"
      case .ledAgain: "a process led, followed another, and led again"
      case .memoryForgot: "memory forgot what the disk keeps"
      case .readFromDisk: "entries were read from the disk for a peer"
      case .logUnreadable: "entries could not be read for a peer"
      case .suffixReplaced: "a suffix was replaced"
      case .logBegunAnew: "a log began anew behind a snapshot"
      case .batchSplit: "a batch was split"
      case .segmentDropped: "a start dropped an old segment"
      case .unfinishedSegmentRemoved: "a start removed an unfinished segment"
      case .startRepaired: "a start repaired something"
      case .snapshotOfSeveralBlocks: "a snapshot of several blocks was sent"
      case .snapshotBeyondWindow: "a snapshot was longer than the window"
      case .transferRepeated: "a block of a snapshot was sent again"
      case .transferWaited: "a peer waited for a newer snapshot"
      case .blocksFull: "a block waited for room, or was dropped"
      case .snapshotFailed: "a snapshot failed"
      case .snapshotRefused: "a leader's snapshot was refused for a while"
      case .newestSnapshotBad: "the newest snapshot could not be read"
      case .operatorRequestDone: "an operator's request was done"
      case .operatorRequestFailed: "an operator's request failed"
      case .transferredToBest: "leadership went to the best"
      case .transferredToNamed: "leadership went to whom an operator named"
      case .learnerAdded: "a learner was added"
      case .promotedOnRequest: "a learner was promoted on request"
      case .memberRemoved: "a member was removed"
      case .promotedByItself: "a learner was promoted by itself"
      case .memberReplaced: "a member was replaced"
      case .leaderRemoved: "a leader was removed"
      case .disksReplaced: "a member whose disk was lost was replaced"
      case .addressChanged: "an address was changed"
      case .allAddressesChanged: "all addresses were changed"
      case .grownFromOne: "a single node became a cluster"
      case .handedOverByItself: "a leader whose disk stalled handed over"
      case .strangerRefused: "a stranger was refused"
      case .impostorRefused: "a forged sender was refused"
      case .foreignerRefused: "a frame of another cluster was refused"
      case .strayRefused: "a frame for another node was refused"
      case .formerMemberRefused: "who had left was not heard"
      case .formerMemberRepeated: "who had left repeated what it had said"
      }
    }
  }

  /// How often each was seen, in the order of `Point.allCases`.
  public private(set) var counts = [Int](repeating: 0, count: Point.allCases.count)

  public init() {}

  public subscript(point: Point) -> Int { counts[point.rawValue] }

  mutating func reach(_ point: Point) { counts[point.rawValue] += 1 }

  mutating func reach(_ point: Point, if condition: Bool) {
    if condition { counts[point.rawValue] += 1 }
  }

  mutating func add(_ other: Coverage) {
    for place in counts.indices { counts[place] += other.counts[place] }
  }

  /// What was reached, and what never.
  public var reached: [(name: String, count: Int)] { Point.allCases.filter { self[$0] > 0 }.map { ($0.text, self[$0]) } }
  public var neverReached: [String] { Point.allCases.filter { self[$0] == 0 }.map(\.text) }
}
