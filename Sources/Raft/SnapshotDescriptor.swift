import ByteCoding

/// Which state a snapshot holds: everything up to `position`, and the configuration in force there.
public struct SnapshotDescriptor: Hashable, Sendable {
  public let position: LogPosition
  public let configuration: Configuration
  /// Where in the log that configuration stands.
  public let configurationIndex: LogIndex

  public init(position: LogPosition, configuration: Configuration, configurationIndex: LogIndex) {
    self.position = position
    self.configuration = configuration
    self.configurationIndex = configurationIndex
  }

  public func encode(into writer: inout ByteWriter) {
    writer.write(position.index)
    writer.write(position.term)
    writer.write(configurationIndex)
    writer.write(prefixed: configuration.encoded())
  }

  public init(from reader: inout ByteReader) throws(MalformedBytes) {
    let position = LogPosition(index: try reader.readUInt64(), term: try reader.readUInt64())
    let configurationIndex = try reader.readUInt64()
    self.init(
      position: position, configuration: try Configuration(decoding: try reader.readPrefixed()), configurationIndex: configurationIndex)
  }
}

/// What one snapshot file holds, in a few bytes: two files of the same position may be cut into other blocks, or be of another release, and
/// blocks of both together would make neither.
public struct SnapshotFingerprint: Hashable, Sendable {
  /// CRC-32C over the checksums of all blocks, in order.
  public let checksum: UInt32
  public let blocks: UInt32
  /// In all blocks.
  public let bytes: UInt64

  public init(checksum: UInt32, blocks: UInt32, bytes: UInt64) {
    self.checksum = checksum
    self.blocks = blocks
    self.bytes = bytes
  }

  /// Of a sender that names none.
  public static let unknown = SnapshotFingerprint(checksum: 0, blocks: 0, bytes: 0)

  public func encode(into writer: inout ByteWriter) {
    writer.write(checksum)
    writer.write(blocks)
    writer.write(bytes)
  }

  public init(from reader: inout ByteReader) throws(MalformedBytes) {
    self.init(checksum: try reader.readUInt32(), blocks: try reader.readUInt32(), bytes: try reader.readUInt64())
  }
}
