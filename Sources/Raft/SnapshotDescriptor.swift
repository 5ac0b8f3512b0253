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
