import ByteCoding

/// What the nodes' own software keeps in the replicated state, beside the clients' keys and out of their sight: byte strings by name, such
/// as the certificates of the cluster's authority. Few and small.
public struct ClusterRecords: Sendable {
  struct Entry: Sendable {
    let name: String
    let value: [UInt8]

    /// Of the entry in a snapshot.
    var encodedCount: Int { 1 + 4 + name.utf8.count + 4 + value.count }
  }

  /// In the order of their names' bytes.
  private(set) var entries: [Entry] = []

  /// `nil` if there is none.
  public func value(of name: String) -> [UInt8]? {
    let index = firstIndex(from: name)
    return index < entries.count && Self.areEqual(entries[index].name, name) ? entries[index].value : nil
  }

  /// All whose names begin so, in order.
  public func all(withPrefix prefix: String) -> [(name: String, value: [UInt8])] {
    entries[firstIndex(from: prefix)...].prefix { $0.name.utf8.starts(with: prefix.utf8) }.map { ($0.name, $0.value) }
  }

  /// Throws `.recordChanged` if it is not as expected.
  mutating func apply(_ change: RecordChange) throws(KeyValueError) {
    guard value(of: change.name) == change.expected else { throw .recordChanged }
    let index = firstIndex(from: change.name)
    let replaced = change.expected == nil ? index..<index : index..<index + 1
    guard let value = change.value else { return entries.removeSubrange(replaced) }
    guard entries.count < Limits.records || change.expected != nil else { throw .tooManyRecords }
    entries.replaceSubrange(replaced, with: [Entry(name: change.name, value: value)])
  }

  private func firstIndex(from name: String) -> Int {
    var (low, high) = (0, entries.count)
    while low < high {
      let middle = (low + high) / 2
      if entries[middle].name.utf8.lexicographicallyPrecedes(name.utf8) { low = middle + 1 } else { high = middle }
    }
    return low
  }

  /// By their bytes: what Unicode holds for the same may be two records.
  private static func areEqual(_ left: String, _ right: String) -> Bool { left.utf8.elementsEqual(right.utf8) }

  // MARK: Snapshot

  /// Takes up the next entry of a snapshot.
  mutating func restore(from reader: inout ByteReader) throws(MalformedBytes) {
    let name = try reader.readString()
    let value = Array(try reader.readPrefixed())
    let isInOrder = entries.last.map { $0.name.utf8.lexicographicallyPrecedes(name.utf8) } ?? true
    guard isInOrder, entries.count < Limits.records, RecordChange(name: name, expected: nil, value: value).isValid else {
      throw MalformedBytes("snapshot: a record of the cluster's")
    }
    entries.append(Entry(name: name, value: value))
  }

  func combine(into fingerprint: inout Fingerprint) {
    for entry in entries {
      fingerprint.combine(UInt64(entry.name.utf8.count) << 32 | UInt64(entry.value.count))
      Array(entry.name.utf8).withUnsafeBytes { fingerprint.combine($0) }
      entry.value.withUnsafeBytes { fingerprint.combine($0) }
    }
  }
}

/// Replaces one of the cluster's own records, if it is still what it was.
public struct RecordChange: Hashable, Sendable {
  /// 1 to `Limits.recordNameBytes`.
  public var name: String
  /// What it must be; `nil`: it must not be there.
  public var expected: [UInt8]?
  /// At most `Limits.recordBytes`; `nil` to remove it.
  public var value: [UInt8]?

  public init(name: String, expected: [UInt8]?, value: [UInt8]?) {
    self.name = name
    self.expected = expected
    self.value = value
  }

  var isValid: Bool {
    (1...Limits.recordNameBytes).contains(name.utf8.count) && value?.count ?? 0 <= Limits.recordBytes
      && expected?.count ?? 0 <= Limits.recordBytes
  }

  init(from reader: inout ByteReader) throws(MalformedBytes) {
    let flags = try reader.readUInt8()
    guard flags <= 3 else { throw MalformedBytes("record: flags") }
    name = try reader.readString()
    expected = flags & 1 != 0 ? Array(try reader.readPrefixed()) : nil
    value = flags & 2 != 0 ? Array(try reader.readPrefixed()) : nil
  }

  func write(to writer: inout ByteWriter) {
    writer.write(UInt8((expected == nil ? 0 : 1) | (value == nil ? 0 : 2)))
    writer.write(name)
    if let expected { writer.write(prefixed: expected) }
    if let value { writer.write(prefixed: value) }
  }

  var encodedCount: Int { 1 + 4 + name.utf8.count + (expected.map { 4 + $0.count } ?? 0) + (value.map { 4 + $0.count } ?? 0) }
}
