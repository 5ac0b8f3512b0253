/// The order of keys: that of their bytes, unsigned, a prefix before what it begins.
enum ByteOrder {
  /// Below 0 if `a` comes before `b`, 0 if they are equal, else above 0.
  ///
  /// By words of eight bytes: in big-endian reading their order as integers is that of their bytes.
  @inline(__always)
  static func compare(_ a: UnsafeRawBufferPointer, _ b: UnsafeRawBufferPointer) -> Int {
    let common = min(a.count, b.count)
    var offset = 0
    while offset + 8 <= common {
      let wordA = a.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
      let wordB = b.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
      if wordA != wordB { return wordA.bigEndian < wordB.bigEndian ? -1 : 1 }
      offset += 8
    }
    while offset < common {
      if a[offset] != b[offset] { return Int(a[offset]) - Int(b[offset]) }
      offset += 1
    }
    return a.count - b.count
  }

  /// The same for arrays and their slices.
  static func compare(_ a: some Collection<UInt8>, _ b: some Collection<UInt8>) -> Int {
    let order = a.withContiguousStorageIfAvailable { a in
      b.withContiguousStorageIfAvailable { b in compare(UnsafeRawBufferPointer(a), UnsafeRawBufferPointer(b)) }
    }
    if let order, let order { return order }
    return a.elementsEqual(b) ? 0 : a.lexicographicallyPrecedes(b) ? -1 : 1
  }
}
