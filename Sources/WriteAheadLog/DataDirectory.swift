import ByteCoding
import Raft

/// What a data directory is, before its log is opened.
public struct DataDirectory: Sendable {
  /// Nil in an empty directory.
  public let identity: IdentityRecord?
  /// There are files of a log.
  public let hasLog: Bool

  /// Reads the identity. Throws `.damaged` if it cannot be trusted, if there is a log but no identity, or if a member's log is missing.
  public static func load<D: Disk>(_ disk: D) throws(StorageError) -> DataDirectory {
    // The last process may have ended between the renaming of a file and the directory's sync.
    try onDisk { () throws(DiskError) in try disk.syncDirectory() }
    let names = try onDisk { () throws(DiskError) in try disk.list() }
    let identity = try IdentityRecord.read(disk, names: names)
    let hasLog = !NumberedName.parse(names, prefix: Segment.prefix).isEmpty
    if identity == nil, hasLog {
      throw .damaged(file: IdentityRecord.file, offset: 0, what: "the file is missing, although there is a log")
    }
    if case .formed = identity?.phase, !hasLog {
      throw .damaged(file: NumberedName.make(Segment.prefix, 1), offset: 0, what: "the log is missing")
    }
    return DataDirectory(identity: identity, hasLog: hasLog)
  }

  /// Replaces the identity: durable when it returns, and the old one or the new one at every instant before. A node becomes `.formed` only
  /// when its log has been opened. Throws `.full` if there is no room: the same call may be made again.
  public static func write<D: Disk>(_ record: IdentityRecord, to disk: D) throws(StorageError) {
    let bytes = record.encoded()
    guard bytes.count <= IdentityRecord.maximumSize else { throw .refused(what: "an identity of \(bytes.count) bytes") }
    try making { () throws(StorageError) in
      try onDisk { () throws(DiskError) in
        if try disk.list().contains(IdentityRecord.temporaryFile) { try disk.remove(IdentityRecord.temporaryFile) }
        let file = try disk.open(IdentityRecord.temporaryFile, create: true)
        defer { disk.close(file) }
        try disk.write(file, offset: 0, bytes)
        try disk.sync(file)
        try disk.rename(IdentityRecord.temporaryFile, to: IdentityRecord.file)
        try disk.syncDirectory()
      }
    }
  }
}
