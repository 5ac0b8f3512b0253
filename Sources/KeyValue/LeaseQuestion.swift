import ByteCoding

/// What a client asks the leader of a lease: how long it lasts only the leader knows. Not a command, and not in the log. See
/// `Docs/Formats.md`.
public enum LeaseQuestion: Hashable, Sendable {
  /// Let it last for its full time from now: etcd's `LeaseKeepAlive`.
  case keepAlive(LeaseID)
  /// How long it lasts: what the leader knows for etcd's `LeaseTimeToLive`; `Request.lease` has the keys.
  case remaining(LeaseID)

  private static let formatVersion: UInt8 = 1
  private enum Kind: UInt8 { case keepAlive = 1, remaining }

  public init(decoding bytes: Bytes) throws(MalformedBytes) {
    var reader = ByteReader(bytes)
    guard try reader.readUInt8() == LeaseQuestion.formatVersion else { throw MalformedBytes("lease question: format version") }
    guard let kind = Kind(rawValue: try reader.readUInt8()) else { throw MalformedBytes("lease question: kind") }
    let id = try reader.readInt64()
    try reader.expectEnd()
    switch kind {
    case .keepAlive: self = .keepAlive(id)
    case .remaining: self = .remaining(id)
    }
  }

  public func encoded() -> [UInt8] {
    var writer = ByteWriter(capacity: 10)
    writer.write(LeaseQuestion.formatVersion)
    switch self {
    case .keepAlive(let id):
      writer.write(Kind.keepAlive.rawValue)
      writer.write(id)
    case .remaining(let id):
      writer.write(Kind.remaining.rawValue)
      writer.write(id)
    }
    return writer.bytes
  }
}

/// What the leader says to a `LeaseQuestion`.
public enum LeaseAnswer: Hashable, Sendable {
  /// Seconds that it lasts yet, whole ones, and those that it was granted for.
  case lease(remaining: Int64, granted: Int64)
  /// There is no such lease, or it expires and cannot be kept alive any more.
  case gone
  /// The leader does not know the question: it is of another version than who asked.
  case malformed

  private static let formatVersion: UInt8 = 1
  private enum Kind: UInt8 { case malformed = 0, gone, lease }

  public init(decoding bytes: Bytes) throws(MalformedBytes) {
    var reader = ByteReader(bytes)
    guard try reader.readUInt8() == LeaseAnswer.formatVersion else { throw MalformedBytes("lease answer: format version") }
    switch Kind(rawValue: try reader.readUInt8()) {
    case .malformed: self = .malformed
    case .gone: self = .gone
    case .lease: self = .lease(remaining: try reader.readInt64(), granted: try reader.readInt64())
    case nil: throw MalformedBytes("lease answer: kind")
    }
    try reader.expectEnd()
  }

  public func encoded() -> [UInt8] {
    var writer = ByteWriter(capacity: 18)
    writer.write(LeaseAnswer.formatVersion)
    switch self {
    case .malformed: writer.write(Kind.malformed.rawValue)
    case .gone: writer.write(Kind.gone.rawValue)
    case .lease(let remaining, let granted):
      writer.write(Kind.lease.rawValue)
      writer.write(remaining)
      writer.write(granted)
    }
    return writer.bytes
  }
}
