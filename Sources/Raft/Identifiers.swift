/// Names one data directory for its whole life. Random, never reused: a machine that lost its disk comes back under another name, so that
/// it cannot vote twice. Never zero.
public struct NodeID: Hashable, Comparable, Sendable, CustomStringConvertible {
  public let rawValue: UInt64

  public init(_ rawValue: UInt64) { self.rawValue = rawValue }

  public static func < (left: NodeID, right: NodeID) -> Bool { left.rawValue < right.rawValue }

  /// Sixteen hexadecimal digits, as logs and the command line show it.
  public var description: String {
    let digits = String(rawValue, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }
}

/// Names one cluster for its whole life: a digest of its first configuration.
public struct ClusterID: Hashable, Sendable, CustomStringConvertible {
  public let rawValue: UInt64

  public init(_ rawValue: UInt64) { self.rawValue = rawValue }

  public var description: String { NodeID(rawValue).description }
}

/// The number of an election; grows for ever. Zero before the first one.
public typealias Term = UInt64

/// The place of an entry in the log. The first entry has index 1; zero stands for "before the log".
public typealias LogIndex = UInt64

/// An entry's coordinates: two logs that have the same position are identical up to it (Raft paper, section 5.3).
public struct LogPosition: Hashable, Sendable {
  public var index: LogIndex
  public var term: Term

  public init(index: LogIndex, term: Term) {
    self.index = index
    self.term = term
  }

  /// Before the first entry.
  public static let zero = LogPosition(index: 0, term: 0)
}
