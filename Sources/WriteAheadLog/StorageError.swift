import ByteCoding

/// Why storage refused or failed, and what to do about it.
public enum StorageError: Error, Equatable, Sendable, CustomStringConvertible {
  /// A call of the disk failed. Not retried: the store that wrote is poisoned, and must be opened anew.
  case disk(DiskError)
  /// No room for what was to be written, or no more files may be opened; nothing was written. The same call may be tried again later.
  case full(DiskError)
  /// Bytes that were durable are not what was written. Nothing was changed or cut.
  case damaged(file: String, offset: Int, what: String)
  /// The file belongs to another node or cluster.
  case foreign(file: String, what: String)
  /// The file was written by another release.
  case unsupportedVersion(file: String, version: UInt32)
  /// An earlier write or sync failed, and what is on the disk is unknown until the log is opened again.
  case poisoned(by: DiskError)
  /// The caller asked for something that must not be written. Nothing was.
  case refused(what: String)

  public var description: String {
    switch self {
    case .disk(let error):
      "\(error). What is durable is unknown until the log is opened again: check the disk, then restart the node."
    case .full(let error) where error.reason == .tooManyFiles:
      "\(error). Nothing was written: it is tried again when others are closed; a higher limit of open files (ulimit -n) prevents it."
    case .full(let error):
      "\(error). Nothing was written: free some space, then try again."
    case .damaged(let file, let offset, let what):
      "\(file) is damaged at byte \(offset): \(what). Nothing was cut: bring back these very bytes (an older copy would not do: the node "
        + "would forget what it promised), or leave this node out; the others go on while they are a majority."
    case .foreign(let file, let what):
      "\(file) is not this node's: \(what). Point the node at its own data directory."
    case .unsupportedVersion(let file, let version):
      "\(file) has format version \(version), which this release does not know. Run the release that wrote it."
    case .poisoned(let error):
      "an earlier failure stopped all writing (\(error)). Check the disk, then restart the node."
    case .refused(let what):
      "not written: \(what). This is a defect of the caller."
    }
  }
}

/// Runs verbs of the disk, and dresses their failure.
@inline(__always)
func onDisk<T>(_ body: () throws(DiskError) -> T) throws(StorageError) -> T {
  do {
    return try body()
  } catch {
    throw .disk(error)
  }
}

/// Makes something that counts for nothing before it is whole, and that a second call makes again from the start: so a full disk is `.full`
/// here whatever it stopped, a sync included, and so is a file that could not be opened for now.
func making<T>(_ body: () throws(StorageError) -> T) throws(StorageError) -> T {
  do throws(StorageError) {
    return try body()
  } catch {
    if case .disk(let failure) = error, failure.isShortage { throw .full(failure) }
    throw error
  }
}

/// Reads a file's fields; what cannot be read is damage of that file.
func decoding<T>(_ file: String, at offset: Int, _ body: () throws(MalformedBytes) -> T) throws(StorageError) -> T {
  do {
    return try body()
  } catch {
    throw .damaged(file: file, offset: offset, what: error.description)
  }
}
