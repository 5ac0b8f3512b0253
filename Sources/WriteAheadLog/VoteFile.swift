import ByteCoding
import Raft

/// The hard state, in two copies that are never written at the same time: one damaged copy never leaves the vote unknown.
///
/// A copy: file header (28), sequence (8), term (8), voted (1), vote (8), zeros, CRC-32C (4) that continues from the copy's offset.
struct VoteFile<D: Disk> {
  static var name: String { "vote" }
  private static var copySize: Int { 512 }
  /// Far enough apart that no sector of any disk holds both.
  private static var offsets: [Int] { [0, 4096] }
  private static var size: Int { 4096 + 512 }

  private let file: D.File
  private let identity: StorageIdentity
  private(set) var hardState: HardState
  /// Grows by one from update to update, from 1: where the file was made, with no term and no vote.
  private(set) var sequence: UInt64

  private enum Copy: Equatable {
    case blank
    case damaged
    case valid(sequence: UInt64, HardState)
  }

  /// Makes the file, durably, with no vote. Throws `.full` if there is no room: the same call may be made again.
  static func create(_ disk: D, identity: StorageIdentity) throws(StorageError) -> VoteFile {
    try making { () throws(StorageError) in
      let file = try onDisk { () throws(DiskError) in try disk.open(name, create: true) }
      let vote = VoteFile(file: file, identity: identity, hardState: HardState(), sequence: 1)
      try vote.begin(disk)
      try onDisk { () throws(DiskError) in try disk.syncDirectory() }
      return vote
    }
  }

  /// Reads the file; nil when nothing was ever written. Both copies are written again from the newer one: what the last process left may
  /// not be durable, even if it can be read, and even if a sync without a write reports success. Throws `.full` if there is no room for
  /// what the last process did not come to write: the same call may be made again.
  static func open(_ disk: D, identity: StorageIdentity, repairs: inout [String]) throws(StorageError) -> VoteFile? {
    let file: D.File
    do {
      file = try disk.open(name, create: false)
    } catch {
      if error.reason == .missing { return nil }
      throw .disk(error)
    }
    let first = try read(0, of: file, disk, identity)
    let second = try read(1, of: file, disk, identity)
    guard let (sequence, hardState) = try newer(first, second, repairs: &repairs) else {
      disk.close(file)
      return nil
    }
    let vote = VoteFile(file: file, identity: identity, hardState: hardState, sequence: sequence)
    try making { () throws(StorageError) in try vote.begin(disk) }
    return vote
  }

  /// Durable when it returns.
  mutating func update(_ disk: D, to hardState: HardState) throws(StorageError) {
    self.hardState = hardState
    sequence += 1
    try write(disk)
  }

  func close(_ disk: D) { disk.close(file) }

  /// The first write of a process: if it fails, there is no vote file.
  private func begin(_ disk: D) throws(StorageError) {
    do throws(StorageError) {
      try write(disk)
    } catch {
      disk.close(file)
      throw error
    }
  }

  private func write(_ disk: D) throws(StorageError) {
    for copy in Self.offsets.indices {
      let bytes = encoded(copy)
      try onDisk { () throws(DiskError) in
        try disk.write(file, offset: Self.offsets[copy], bytes)
        try disk.sync(file)
      }
    }
  }

  private func encoded(_ copy: Int) -> [UInt8] {
    var writer = ByteWriter(capacity: Self.copySize)
    FileHeader.write(.vote, identity, into: &writer)
    writer.write(sequence)
    writer.write(hardState.term)
    writer.write(hardState.vote != nil)
    writer.write(hardState.vote?.rawValue ?? 0)
    writer.write(raw: repeatElement(0, count: Self.copySize - 4 - writer.count))
    writer.write(Self.checksum(writer.slice, copy))
    return writer.bytes
  }

  private static func checksum(_ bytes: Bytes, _ copy: Int) -> UInt32 { CRC32C.checksum(bytes, seed: UInt32(offsets[copy])) }

  private static func read(_ copy: Int, of file: D.File, _ disk: D, _ identity: StorageIdentity) throws(StorageError) -> Copy {
    var bytes = try onDisk { () throws(DiskError) in try disk.read(file, offset: offsets[copy], count: copySize) }
    if bytes.allSatisfy({ $0 == 0 }) { return .blank }
    bytes.append(contentsOf: repeatElement(0, count: copySize - bytes.count))
    var trailer = ByteReader(bytes[(copySize - 4)...])
    guard let checksum = try? trailer.readUInt32(), checksum == Self.checksum(bytes[..<(copySize - 4)], copy) else { return .damaged }
    var reader = ByteReader(bytes[...])
    try FileHeader.check(try FileHeader.read(.vote, of: name, from: &reader), is: identity, in: name)
    return try decoding(name, at: offsets[copy]) { () throws(MalformedBytes) in
      let sequence = try reader.readUInt64()
      let term = try reader.readUInt64()
      let voted = try reader.readBool()
      let vote = NodeID(try reader.readUInt64())
      return .valid(sequence: sequence, HardState(term: term, vote: voted ? vote : nil))
    }
  }

  /// What the copies say together; nil when both are blank. An update writes the first copy first, so a stop leaves it one ahead.
  private static func newer(_ first: Copy, _ second: Copy, repairs: inout [String]) throws(StorageError) -> (UInt64, HardState)? {
    switch (first, second) {
    case (.blank, .blank):
      return nil
    case (.valid(let one, let state), .valid(let two, let other)):
      guard one != two || state == other else {
        throw .damaged(file: name, offset: 0, what: "its two copies have number \(one), but do not say the same")
      }
      if one != two, one != two + 1 { repairs.append("\(name): copy \(one < two ? 1 : 2) was outdated, and was written again") }
      return one >= two ? (one, state) : (two, other)
    case (.valid(let sequence, let state), let other):
      if other == .damaged || sequence > 1 { repairs.append("\(name): copy 2 was damaged, and was written again from copy 1") }
      return (sequence, state)
    case (_, .valid(let sequence, let state)):
      repairs.append("\(name): copy 1 was damaged, and was written again from copy 2")
      return (sequence, state)
    default:
      throw .damaged(file: name, offset: 0, what: "neither of its two copies verifies, so whom this node voted for is unknown")
    }
  }
}
