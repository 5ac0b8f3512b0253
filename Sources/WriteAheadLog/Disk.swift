/// The few verbs that storage needs of one directory. Real (`Coracle.PosixDisk`) or simulated; all calls block until done.
///
/// `write` reaches the page cache only: what must survive the loss of power needs `sync` (the file's bytes) and, for files that were
/// created, renamed or removed, `syncDirectory`.
public protocol Disk {
  associatedtype File: Sendable

  /// Names of the files in the directory, in any order.
  func list() throws(DiskError) -> [String]
  /// Opens for reading and writing. Fails with `.missing` when the file is not there and `create` is false; truncates nothing.
  func open(_ name: String, create: Bool) throws(DiskError) -> File
  /// Bytes in the file.
  func size(_ file: File) throws(DiskError) -> Int
  /// Up to `count` bytes from `offset`; fewer at the end of the file.
  func read(_ file: File, offset: Int, count: Int) throws(DiskError) -> [UInt8]
  /// All of `bytes` at `offset`; the file grows as needed.
  func write(_ file: File, offset: Int, _ bytes: [UInt8]) throws(DiskError)
  /// Like `write`, of room that later writes take up piece by piece.
  func fill(_ file: File, offset: Int, _ bytes: [UInt8]) throws(DiskError)
  /// Makes the file's bytes and size durable.
  func sync(_ file: File) throws(DiskError)
  /// The handle must not be used afterwards.
  func close(_ file: File)
  /// Atomically; an existing `destination` is replaced.
  func rename(_ source: String, to destination: String) throws(DiskError)
  func remove(_ name: String) throws(DiskError)
  /// Makes creations, renames and removals durable.
  func syncDirectory() throws(DiskError)
}

extension Disk {
  public func fill(_ file: File, offset: Int, _ bytes: [UInt8]) throws(DiskError) { try write(file, offset: offset, bytes) }
}

/// A failed verb: which, on what file, and why in the system's words.
public struct DiskError: Error, Equatable, Sendable, CustomStringConvertible {
  public enum Reason: Equatable, Sendable {
    case missing
    /// No space, or over a quota: passes when there is room again.
    case full
    /// The process or the system may open no more files: passes when others are closed.
    case tooManyFiles
    /// Everything else, with the system's text.
    case failed(String)
  }

  public let operation: String
  public let file: String
  public let reason: Reason

  /// Whether the verb changed nothing, and may be tried again when there is more of what is short.
  public var isShortage: Bool {
    switch reason {
    case .full, .tooManyFiles: true
    case .missing, .failed: false
    }
  }

  public init(operation: String, file: String, reason: Reason) {
    self.operation = operation
    self.file = file
    self.reason = reason
  }

  public var description: String {
    switch reason {
    case .missing: "\(operation) \(file): no such file"
    case .full: "\(operation) \(file): no space left on the disk"
    case .tooManyFiles: "\(operation) \(file): too many open files"
    case .failed(let text): "\(operation) \(file): \(text)"
    }
  }
}
