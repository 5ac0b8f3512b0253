import Raft

/// What the swarm does to a cluster. None of it may lose what was acknowledged: minorities, whole clusters, and their page caches go, but
/// what was synced stays.
public enum Fault: String, CaseIterable, Sendable {
  /// A process ends; its page cache stays.
  case crash
  /// A machine loses power, and what was not synced.
  case powerLoss
  /// All of them do, at once.
  case totalPowerLoss
  /// A process freezes for a while.
  case pause
  /// A member is cut off from all others.
  case isolation
  /// One direction between two members is cut.
  case oneWayCut
  /// The members fall into two parts.
  case partition
  /// All cuts end.
  case heal
  /// Frames are slow for a while.
  case slowNetwork
  /// Disks are slow for a while.
  case slowDisk
}
