import Raft

/// Something bad that happens to a cluster, for a while.
///
/// None of it may take what the promises say must survive: `FaultAtlas` keeps to that, whatever a story says.
public struct Fault: Sendable, Equatable {
  /// What happens, and how much of it.
  public enum Harm: Sendable, Equatable {
    // Processes and machines.
    /// The process is killed; its page cache stays. It starts again when the fault ends.
    case crash
    /// The machine loses power, and what was not synced.
    case powerLoss
    /// All machines lose power at once.
    case totalPowerLoss
    /// The process is killed in the middle of its work on the disk, after so many more calls.
    case crashAtWork(afterCalls: Int)
    /// The machine loses power in the middle of its work on the disk, after so many more calls.
    case powerLossAtWork(afterCalls: Int)
    /// The process is started anew, or for the first time, and ends in the middle of its work on the disk, after so many calls: killed, or
    /// by a loss of power.
    case crashDuringRecovery(afterCalls: Int, losingPower: Bool)
    /// The process is killed in the middle of its work on the disk, after so many more calls, starts at once from what it left there, and
    /// then the machine loses power before half a second is over.
    case crashThenPowerLoss(afterCalls: Int)
    /// The process is told to stop, and does so in its own time.
    case stop
    /// The process is killed again and again, so long after each start; or, if the target is the leader, whoever leads then.
    case restartStorm(every: Nanoseconds)
    /// The machine freezes; its clock goes on.
    case pause
    /// The machine freezes, and its clock with it.
    case suspend
    /// Every turn of the process takes so long.
    case slowNode(turns: Nanoseconds)

    // Networks.
    /// The target is cut off from all others.
    case isolation
    /// One direction between two members is cut.
    case oneWayCut(to: String)
    /// What the target sends is lost, what is sent to it arrives; or the other way round, if it does not hear.
    case halfDeaf(hears: Bool)
    /// The target, and with it as many others as make no majority, are cut off from the rest; or one fewer than that.
    case minority(oneFewer: Bool)
    /// The members fall into two parts; `side` is a mask of those on one side.
    case partition(side: UInt64)
    /// Two parts that see each other only through the target; `side` is a mask of one side.
    case bridge(side: UInt64)
    /// Everybody sees two neighbours only.
    case ring
    /// The link between two members goes and comes, so long each time.
    case flapping(with: String, every: Nanoseconds)
    /// What the target sends to the other waits, and then comes all at once.
    case clog(to: String)
    /// So many frames are lost.
    case loss(perMille: Int)
    /// So many frames come twice.
    case duplication(perMille: Int)
    /// Some frames come again, up to so much later: when their sender leads no more, or has started anew.
    case echo(upTo: Nanoseconds)
    /// So many frames are damaged, cut short, or too long.
    case corruption(perMille: Int)
    /// Frames take up to so much longer.
    case slowNetwork(upTo: Nanoseconds)
    /// Every link carries so much.
    case narrowNetwork(kilobytesPerSecond: Int)

    // Disks.
    /// A sync takes up to so much longer.
    case slowDisk(upTo: Nanoseconds)
    /// The disk answers nothing.
    case stalledDisk
    /// The disk has room for so many bytes more.
    case fullDisk(bytesLeft: Int)
    /// A write fails, after so many that do not.
    case failedWrite(afterCalls: Int)
    /// A sync fails, after so many that do not: the pages are clean, and their bytes are lost.
    case failedSync(afterCalls: Int)
    /// Opening, renaming, removing, or making names durable fails, after so many calls that do not.
    case failedName(afterCalls: Int)
    /// A read fails, after so many that do not; the process is started anew to make it read.
    case failedRead(afterCalls: Int)
    /// Bytes rot while the process is down; where is drawn from `seed`. The node may never serve again.
    case rot(seed: UInt64)
    /// Sectors stand where others belong, as after a misdirected write; which is drawn from `seed`. The node may never serve again.
    case misdirectedWrite(seed: UInt64)
    /// The disk is empty when the process starts again. The node may never serve again.
    case wipedDisk

    // Clocks.
    /// The clock runs faster by so much; slower, if negative.
    case drift(perMillion: Int64)

    // People.
    /// The process is started anew with another list of members, in which so many are missing.
    case wrongList(missing: Int)
    /// Somebody who is no member, or not who it says, talks to the target; who that is and what it says is drawn from `seed`.
    case intrusion(seed: UInt64)

    // Operators: they ask only for what leaves a majority of those that count, and nothing is harmed by it.
    /// The target is asked to hand leadership over to the other; to whom it finds best, if none is named.
    case transfer(to: String)
    /// The machine joins the cluster, as a learner that is promoted by itself, or as one that waits for it. One that left before comes with
    /// an empty disk.
    case join(waits: Bool)
    /// The learner on the machine is promoted.
    case promote
    /// The member on the machine is removed; a member whose disk was lost before, if there is one.
    case remove
    /// The member on the machine is replaced by one on the other; if none is named, its disk is emptied, and the machine comes back.
    case replace(by: String)
    /// The machine is started anew at another address.
    case move
    /// All machines are started anew at other addresses, and the target alone is told of them.
    case moveAll
  }

  /// What happens, without how much: the names that stories and totals use.
  public enum Kind: String, Sendable, CaseIterable {
    case crash, powerLoss, totalPowerLoss, crashAtWork, powerLossAtWork, crashDuringRecovery, crashThenPowerLoss, stop,
      restartStorm, pause, suspend, slowNode
    case isolation, oneWayCut, halfDeaf, minority, partition, bridge, ring, flapping, clog, loss, duplication, echo, corruption,
      slowNetwork, narrowNetwork
    case slowDisk, stalledDisk, fullDisk, failedWrite, failedSync, failedName, failedRead, rot, misdirectedWrite, wipedDisk
    case drift
    case wrongList, intrusion
    case transfer, join, promote, remove, replace, move, moveAll
  }

  /// Whom it happens to.
  public enum Target: Sendable, Equatable {
    case node(String)
    /// Whoever leads when it happens; nobody, if nobody does.
    case leader
  }

  public var harm: Harm
  public var target: Target
  /// After this time it ends.
  public var duration: Nanoseconds

  public init(_ harm: Harm, target: Target, duration: Nanoseconds = .zero) {
    self.harm = harm
    self.target = target
    self.duration = duration
  }

  public var kind: Kind { harm.kind }
}
