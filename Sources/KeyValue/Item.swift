import ByteCoding

/// One version of a key: an immutable allocation with its revisions, its key and its value; or the tombstone of a key that was deleted,
/// whose version is 0.
///
/// `@unchecked Sendable`: the buffer is filled in `init` and only read from then on.
struct Item: @unchecked Sendable {
  private struct Header {
    var createRevision: Revision
    var modRevision: Revision
    var version: Int64
    var change: Int
    /// From the lowest bit: 1 of whether there is a lease, which stands behind the value, 21 of the key's size, 21 of the value's, 21 of
    /// the depth. A million pairs feel each byte.
    var packed: UInt64

    init(
      createRevision: Revision, modRevision: Revision, version: Int64, change: Int, depth: Int, keyCount: Int, valueCount: Int,
      hasLease: Bool
    ) {
      self.createRevision = createRevision
      self.modRevision = modRevision
      self.version = version
      self.change = change
      packed = (hasLease ? 1 : 0) | UInt64(keyCount) << 1 | UInt64(valueCount) << 22 | UInt64(depth) << 43
    }

    var hasLease: Bool { packed & 1 != 0 }
    var keyCount: Int { Int(packed >> 1 & 0x1f_ffff) }
    var valueCount: Int { Int(packed >> 22 & 0x1f_ffff) }
    var depth: Int { Int(packed >> 43) }
  }

  /// Most that `depth` can be.
  static let maximumDepth = 0x1f_ffff
  private static let leaseBytes = MemoryLayout<Int64>.size

  private let buffer: ManagedBuffer<Header, UInt8>

  /// - Parameters:
  ///   - change: the number of the change that made it; -1 if it came before all that are kept.
  ///   - depth: how many changes of the key led here, as far as is known.
  /// - Precondition: key and value are within `Limits.requestBytes`.
  init(
    key: Bytes, value: Bytes, createRevision: Revision, modRevision: Revision, version: Int64, lease: Int64 = 0, change: Int = -1,
    depth: Int = 0
  ) {
    let header = Header(
      createRevision: createRevision, modRevision: modRevision, version: version, change: change, depth: depth, keyCount: key.count,
      valueCount: value.count, hasLease: lease != 0)
    self = key.withUnsafeBytes { key in value.withUnsafeBytes { value in Item(copying: key, value, header, lease: lease) } }
  }

  private init(copying key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer?, _ header: Header, lease: Int64) {
    let (inKey, inValue) = (key.count, value?.count ?? 0)
    let capacity = inKey + inValue + (lease == 0 ? 0 : Item.leaseBytes)
    buffer = ManagedBuffer<Header, UInt8>.create(minimumCapacity: capacity) { _ in header }
    buffer.withUnsafeMutablePointerToElements { start in
      let bytes = UnsafeMutableRawPointer(start)
      UnsafeMutableRawBufferPointer(start: bytes, count: inKey).copyMemory(from: key)
      if let value { UnsafeMutableRawBufferPointer(start: bytes + inKey, count: inValue).copyMemory(from: value) }
      if lease != 0 { (bytes + inKey + inValue).storeBytes(of: lease, as: Int64.self) }
    }
  }

  /// The tombstone of a key.
  init(deleting key: UnsafeRawBufferPointer, at revision: Revision, change: Int, depth: Int) {
    let header = Header(
      createRevision: 0, modRevision: revision, version: 0, change: change, depth: depth, keyCount: key.count, valueCount: 0,
      hasLease: false)
    self.init(copying: key, nil, header, lease: 0)
  }

  var createRevision: Revision { header.createRevision }
  var modRevision: Revision { header.modRevision }
  var version: Int64 { header.version }
  /// The number of the change in `ChangeLog` that made it.
  var change: Int { header.change }
  /// See `ChangeLog.Change.jump`.
  var depth: Int { header.depth }
  var isTombstone: Bool { header.version == 0 }
  var keyCount: Int { header.keyCount }
  var valueCount: Int { header.valueCount }

  /// 0 for none.
  var lease: Int64 {
    buffer.withUnsafeMutablePointers { header, start in
      guard header.pointee.hasLease else { return 0 }
      return UnsafeRawPointer(start + header.pointee.keyCount + header.pointee.valueCount).loadUnaligned(as: Int64.self)
    }
  }

  /// By its address, as what is never written needs no check of who else is at it.
  private var header: Header { buffer.withUnsafeMutablePointerToHeader { $0.pointee } }

  var key: Key { withKey { Key($0) } }
  var value: Value { withValue { Value($0) } }

  /// The pair for an answer; without its value if only keys are wanted.
  func pair(keysOnly: Bool = false) -> KeyValuePair {
    KeyValuePair(
      key: key, value: keysOnly ? [] : value, createRevision: createRevision, modRevision: modRevision, version: version,
      lease: lease)
  }

  /// The revisions, the key, the value and the lease.
  func combine(into fingerprint: inout Fingerprint) {
    buffer.withUnsafeMutablePointers { header, start in
      let header = header.pointee
      fingerprint.combine(UInt64(bitPattern: header.createRevision))
      fingerprint.combine(UInt64(bitPattern: header.modRevision))
      fingerprint.combine(UInt64(bitPattern: header.version))
      fingerprint.combine(UInt64(header.keyCount) << 32 | UInt64(header.valueCount))
      fingerprint.combine(UnsafeRawBufferPointer(start: start, count: header.keyCount + header.valueCount))
    }
    if lease != 0 { fingerprint.combine(UInt64(bitPattern: lease)) }
  }

  @inline(__always)
  func withKey<R>(_ body: (UnsafeRawBufferPointer) -> R) -> R {
    buffer.withUnsafeMutablePointers { header, start in
      body(UnsafeRawBufferPointer(start: start, count: header.pointee.keyCount))
    }
  }

  @inline(__always)
  func withValue<R>(_ body: (UnsafeRawBufferPointer) -> R) -> R {
    buffer.withUnsafeMutablePointers { header, start in
      body(UnsafeRawBufferPointer(start: start + header.pointee.keyCount, count: header.pointee.valueCount))
    }
  }
}
