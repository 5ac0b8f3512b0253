import ByteCoding

/// A stored pair: one immutable allocation with its revisions, its key and its value.
///
/// `@unchecked Sendable`: the buffer is filled in `init` and only read from then on.
struct Item: @unchecked Sendable {
  private struct Header {
    var createRevision: Revision
    var modRevision: Revision
    var version: Int64
    var keyCount: UInt32
    var valueCount: UInt32
  }

  private let buffer: ManagedBuffer<Header, UInt8>

  /// - Precondition: key and value are within `Limits.requestBytes`.
  init(key: Bytes, value: Bytes, createRevision: Revision, modRevision: Revision, version: Int64) {
    buffer = ManagedBuffer<Header, UInt8>.create(minimumCapacity: key.count + value.count) { _ in
      Header(
        createRevision: createRevision, modRevision: modRevision, version: version, keyCount: UInt32(key.count),
        valueCount: UInt32(value.count))
    }
    buffer.withUnsafeMutablePointerToElements { start in
      let bytes = UnsafeMutableRawPointer(start)
      key.withUnsafeBytes { UnsafeMutableRawBufferPointer(start: bytes, count: key.count).copyMemory(from: $0) }
      value.withUnsafeBytes { UnsafeMutableRawBufferPointer(start: bytes + key.count, count: value.count).copyMemory(from: $0) }
    }
  }

  var createRevision: Revision { header.createRevision }
  var modRevision: Revision { header.modRevision }
  var version: Int64 { header.version }
  var keyCount: Int { Int(header.keyCount) }
  var valueCount: Int { Int(header.valueCount) }

  /// By its address, as what is never written needs no check of who else is at it.
  private var header: Header { buffer.withUnsafeMutablePointerToHeader { $0.pointee } }

  var key: Key { withKey { Key($0) } }
  var value: Value { withValue { Value($0) } }

  /// The pair for an answer; without its value if only keys are wanted.
  func pair(keysOnly: Bool = false) -> KeyValuePair {
    KeyValuePair(
      key: key, value: keysOnly ? [] : value, createRevision: createRevision, modRevision: modRevision, version: version)
  }

  /// The revisions, the key and the value.
  func combine(into fingerprint: inout Fingerprint) {
    buffer.withUnsafeMutablePointers { header, start in
      let header = header.pointee
      fingerprint.combine(UInt64(bitPattern: header.createRevision))
      fingerprint.combine(UInt64(bitPattern: header.modRevision))
      fingerprint.combine(UInt64(bitPattern: header.version))
      fingerprint.combine(UInt64(header.keyCount) << 32 | UInt64(header.valueCount))
      fingerprint.combine(UnsafeRawBufferPointer(start: start, count: Int(header.keyCount) + Int(header.valueCount)))
    }
  }

  @inline(__always)
  func withKey<R>(_ body: (UnsafeRawBufferPointer) -> R) -> R {
    buffer.withUnsafeMutablePointers { header, start in
      body(UnsafeRawBufferPointer(start: start, count: Int(header.pointee.keyCount)))
    }
  }

  @inline(__always)
  func withValue<R>(_ body: (UnsafeRawBufferPointer) -> R) -> R {
    buffer.withUnsafeMutablePointers { header, start in
      body(UnsafeRawBufferPointer(start: start + Int(header.pointee.keyCount), count: Int(header.pointee.valueCount)))
    }
  }
}
