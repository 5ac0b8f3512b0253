import WriteAheadLog

/// Files in memory, without faults and without a difference between written and durable.
final class MemoryDisk: Disk {
  typealias File = Int

  /// By handle, which stays when a file gets another name.
  private var contents: [[UInt8]] = []
  private var names: [String: File] = [:]

  func list() throws(DiskError) -> [String] { names.keys.sorted() }

  func open(_ name: String, create: Bool) throws(DiskError) -> File {
    if let file = names[name] { return file }
    guard create else { throw DiskError(operation: "open", file: name, reason: .missing) }
    contents.append([])
    names[name] = contents.count - 1
    return contents.count - 1
  }

  func size(_ file: File) throws(DiskError) -> Int { contents[file].count }

  func read(_ file: File, offset: Int, count: Int) throws(DiskError) -> [UInt8] {
    Array(contents[file].dropFirst(offset).prefix(count))
  }

  func write(_ file: File, offset: Int, _ bytes: [UInt8]) throws(DiskError) {
    let end = offset + bytes.count
    if contents[file].count < end { contents[file].append(contentsOf: repeatElement(0, count: end - contents[file].count)) }
    contents[file].withUnsafeMutableBytes { UnsafeMutableRawBufferPointer(rebasing: $0[offset..<end]).copyBytes(from: bytes) }
  }

  func sync(_ file: File) throws(DiskError) {}
  func close(_ file: File) {}
  func rename(_ source: String, to destination: String) throws(DiskError) { names[destination] = names.removeValue(forKey: source) }
  func remove(_ name: String) throws(DiskError) {
    if let file = names.removeValue(forKey: name) { contents[file] = [] }
  }
  func syncDirectory() throws(DiskError) {}
}
