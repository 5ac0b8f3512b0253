import Raft

/// Something bad that happens to a cluster, for a while.
///
/// None of it may take what the promises say must survive: `FaultAtlas` keeps to that, whatever a story says.
public struct Fault: Sendable, Equatable {
  public enum Kind: String, Sendable, CaseIterable {
    // Processes and machines.
    /// The process is killed; its page cache stays. It starts again when the fault ends.
    case crash
    /// The machine loses power, and what was not synced.
    case powerLoss
    /// All machines lose power at once.
    case totalPowerLoss
    /// The process is killed in the middle of its work on the disk, after `amount` more calls.
    case crashAtWork
    /// The machine loses power in the middle of its work on the disk, after `amount` more calls.
    case powerLossAtWork
    /// The process is started anew, or for the first time, and ends in the middle of its work on the disk, after `amount` calls: killed, or
    /// by a loss of power if `amount` is odd.
    case crashDuringRecovery
    /// The process is killed in the middle of its work on the disk, after `amount` more calls, starts at once from what it left there, and
    /// then the machine loses power before half a second is over.
    case crashThenPowerLoss
    /// The process is told to stop, and does so in its own time.
    case stop
    /// The process is killed again and again, `amount` milliseconds after each start; or, if the target is the leader, whoever leads then.
    case restartStorm
    /// The machine freezes; its clock goes on.
    case pause
    /// The machine freezes, and its clock with it.
    case suspend
    /// Every turn of the process takes `amount` microseconds.
    case slowNode

    // Networks.
    /// The target is cut off from all others.
    case isolation
    /// One direction between two members is cut.
    case oneWayCut
    /// What the target sends is lost, what is sent to it arrives; or the other way round, if `amount` is odd.
    case halfDeaf
    /// The target, and with it as many others as make no majority, are cut off from the rest; one less than that, if `amount` is odd.
    case minority
    /// The members fall into two parts; `amount` is a mask of those on one side.
    case partition
    /// Two parts that see each other only through the target; `amount` is a mask of one side.
    case bridge
    /// Everybody sees two neighbours only.
    case ring
    /// The link between two members goes and comes every `amount` milliseconds.
    case flapping
    /// What the target sends to the other waits, and then comes all at once.
    case clog
    /// Of a thousand frames, `amount` are lost.
    case loss
    /// Of a thousand frames, `amount` come twice.
    case duplication
    /// Some frames come again, up to `amount` milliseconds later: when their sender leads no more, or has started anew.
    case echo
    /// Of a thousand frames, `amount` are damaged, cut short, or too long.
    case corruption
    /// Frames take up to `amount` milliseconds.
    case slowNetwork
    /// Every link carries `amount` kilobytes per second.
    case narrowNetwork

    // Disks.
    /// A sync takes up to `amount` milliseconds.
    case slowDisk
    /// The disk answers nothing.
    case stalledDisk
    /// The disk has room for `amount` bytes more.
    case fullDisk
    /// A write fails, after `amount` that do not.
    case failedWrite
    /// A sync fails, after `amount` that do not: the pages are clean, and their bytes are lost.
    case failedSync
    /// Opening, renaming, removing, or making names durable fails, after `amount` calls that do not.
    case failedName
    /// A read fails, after `amount` that do not; the process is started anew to make it read.
    case failedRead
    /// Bytes rot while the process is down; `amount` says where. The node may never serve again.
    case rot
    /// Sectors stand where others belong, as after a misdirected write; `amount` says which. The node may never serve again.
    case misdirectedWrite
    /// The disk is empty when the process starts again. The node may never serve again.
    case wipedDisk

    // Clocks.
    /// The clock runs faster by `amount` millionths; slower, if negative.
    case drift

    // People.
    /// The process is started anew with another list of members.
    case wrongList
  }

  /// Whom it happens to.
  public enum Target: Sendable, Equatable {
    case node(String)
    /// Whoever leads when it happens; nobody, if nobody does.
    case leader
  }

  public var kind: Kind
  public var target: Target
  /// The other end, for faults of a link.
  public var other: String
  /// How much; its unit depends on the kind.
  public var amount: Int64
  /// After this time it ends.
  public var duration: Nanoseconds

  public init(_ kind: Kind, target: Target, other: String = "", amount: Int64 = 0, duration: Nanoseconds = .zero) {
    self.kind = kind
    self.target = target
    self.other = other
    self.amount = amount
    self.duration = duration
  }
}
