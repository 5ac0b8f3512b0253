import NIOConcurrencyHelpers
import Raft
import WriteAheadLog

#if canImport(Darwin)
  import Darwin
#elseif canImport(Musl)
  import Musl
#else
  import Glibc
#endif

/// One directory of a real file system. All names are relative to a descriptor of the directory, so that it may be moved or its parents
/// renamed while the node runs.
///
/// Safe to use from several threads on different files.
package final class PosixDisk: Disk, Sendable {
  /// An open file.
  package struct File: Sendable {
    let descriptor: Int32
    let name: String
  }

  /// Locked by the process that has the directory open; not listed.
  static let lockName = "LOCK"

  package let path: String
  private let directory: Int32
  private let lock: Int32
  private let spare = SpareDescriptor()

  /// Opens the directory, which is made if it is missing (its parent must be there), and locks it until this value goes away.
  package init(path: String) throws(PosixDiskError) {
    let directory: Int32
    do {
      directory = try Self.openDirectory(path)
    } catch {
      throw .disk(error)
    }
    let lock = retrying { openat(directory, Self.lockName, O_RDWR | O_CREAT | O_CLOEXEC, mode_t(0o600)) }
    guard lock >= 0 else {
      let error = DiskError("open", path + "/" + Self.lockName, errno)
      _ = posixClose(directory)
      throw .disk(error)
    }
    guard retrying({ flock(lock, LOCK_EX | LOCK_NB) }) == 0 else {
      let code = errno
      _ = posixClose(lock)
      _ = posixClose(directory)
      throw code == EWOULDBLOCK ? .locked(path) : .disk(DiskError("lock", path + "/" + Self.lockName, code))
    }
    self.path = path
    self.directory = directory
    self.lock = lock
  }

  deinit {
    _ = posixClose(lock)
    _ = posixClose(directory)
  }

  private static func openDirectory(_ path: String) throws(DiskError) -> Int32 {
    let flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC
    guard !path.isEmpty, !path.utf8.contains(0) else { throw DiskError("open", path, EINVAL) }
    var descriptor = retrying { posixOpen(path, flags) }
    if descriptor < 0, errno == ENOENT {
      guard mkdir(path, mode_t(0o700)) == 0 || errno == EEXIST else { throw DiskError("create directory", path, errno) }
      let parent = retrying { posixOpen(path + "/..", flags) }
      guard parent >= 0 else { throw DiskError("open parent of", path, errno) }
      defer { _ = posixClose(parent) }
      guard retrying({ fsync(parent) }) == 0 else { throw DiskError("sync parent of", path, errno) }
      descriptor = retrying { posixOpen(path, flags) }
    }
    guard descriptor >= 0 else { throw DiskError("open", path, errno) }
    return descriptor
  }

  /// Lets another node have the directory; to be called when this one is done with it.
  package func unlock() { _ = flock(lock, LOCK_UN) }

  package func list() throws(DiskError) -> [String] {
    // A descriptor of its own: reading moves its position, and closing the stream closes it.
    let descriptor = spare.opening { openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC) }
    guard descriptor >= 0 else { throw DiskError("list", path, errno) }
    guard let stream = fdopendir(descriptor) else {
      let error = DiskError("list", path, errno)
      _ = posixClose(descriptor)
      throw error
    }
    defer { closedir(stream) }
    var names: [String] = []
    while true {
      errno = 0
      guard let entry = readdir(stream) else {
        guard errno == 0 else { throw DiskError("list", path, errno) }
        return names
      }
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: MemoryLayout.size(ofValue: $0.pointee)) { String(cString: $0) }
      }
      if name != ".", name != "..", name != Self.lockName { names.append(name) }
    }
  }

  package func open(_ name: String, create: Bool) throws(DiskError) -> File {
    try check(name, "open")
    let flags = O_RDWR | O_CLOEXEC | O_NOFOLLOW | (create ? O_CREAT : 0)
    let descriptor = spare.opening { openat(directory, name, flags, mode_t(0o600)) }
    guard descriptor >= 0 else { throw DiskError("open", name, errno) }
    return File(descriptor: descriptor, name: name)
  }

  package func size(_ file: File) throws(DiskError) -> Int {
    var information = stat()
    guard fstat(file.descriptor, &information) == 0 else { throw DiskError("size", file.name, errno) }
    return Int(information.st_size)
  }

  package func read(_ file: File, offset: Int, count: Int) throws(DiskError) -> [UInt8] {
    guard offset >= 0, count >= 0 else { throw DiskError("read", file.name, EINVAL) }
    var failure: Int32?
    // Never more than the file has: a caller may ask for "all of it" by a large number.
    let available = min(count, max(0, try size(file) - offset))
    let bytes = [UInt8](unsafeUninitializedCapacity: available) { buffer, filled in
      while filled < available {
        let result = retrying { pread(file.descriptor, buffer.baseAddress! + filled, available - filled, off_t(offset + filled)) }
        if result < 0 { failure = errno }
        guard result > 0 else { return }
        filled += result
      }
    }
    if let failure { throw DiskError("read", file.name, failure) }
    return bytes
  }

  package func write(_ file: File, offset: Int, _ bytes: [UInt8]) throws(DiskError) {
    guard offset >= 0 else { throw DiskError("write", file.name, EINVAL) }
    let failure: Int32? = bytes.withUnsafeBytes { buffer in
      var written = 0
      while written < buffer.count {
        let result = retrying {
          pwrite(file.descriptor, buffer.baseAddress! + written, buffer.count - written, off_t(offset + written))
        }
        if result < 0 { return errno }
        if result == 0 { return EIO }
        written += result
      }
      return nil
    }
    if let failure { throw DiskError("write", file.name, failure) }
  }

  /// Page by page: Linux keeps what one call wrote in units that may be as large as the call, and counts each as written anew with every
  /// small write into it (measured on ext4, Linux 6.18: 16 bytes for each byte of a log that is synced every 17 KiB, with pages 2.1).
  package func fill(_ file: File, offset: Int, _ bytes: [UInt8]) throws(DiskError) {
    var start = 0
    while start < bytes.count {
      let end = min(start + Self.pageSize - (offset + start) % Self.pageSize, bytes.count)
      try write(file, offset: offset + start, Array(bytes[start..<end]))
      start = end
    }
  }

  private static let pageSize = 4096

  package func sync(_ file: File) throws(DiskError) {
    guard retrying({ syncData(file.descriptor) }) == 0 else { throw DiskError("sync", file.name, errno) }
  }

  package func close(_ file: File) {
    // Not retried: after EINTR the descriptor is gone on Linux, and may belong to another file by now. What had to be durable was synced.
    _ = posixClose(file.descriptor)
  }

  package func rename(_ source: String, to destination: String) throws(DiskError) {
    try check(source, "rename")
    try check(destination, "rename")
    guard retrying({ renameat(directory, source, directory, destination) }) == 0 else { throw DiskError("rename", source, errno) }
  }

  package func remove(_ name: String) throws(DiskError) {
    try check(name, "remove")
    guard retrying({ unlinkat(directory, name, 0) }) == 0 else { throw DiskError("remove", name, errno) }
  }

  package func syncDirectory() throws(DiskError) {
    guard retrying({ fsync(directory) }) == 0 else { throw DiskError("sync", path, errno) }
  }

  /// A name stays in the directory, and is not the lock.
  private func check(_ name: String, _ operation: String) throws(DiskError) {
    guard !name.isEmpty, name != ".", name != "..", name != Self.lockName, !name.utf8.contains(0), !name.utf8.contains(UInt8(ascii: "/"))
    else { throw DiskError(operation, name, EINVAL) }
  }
}

/// Why a data directory cannot be used.
public enum PosixDiskError: Error, Equatable, Sendable, CustomStringConvertible {
  /// A running node has it.
  case locked(String)
  case disk(DiskError)

  public var description: String {
    switch self {
    case .locked(let path):
      "the data directory \(path) is in use by a running node: stop that one first, or give this one its own directory"
    case .disk(let error): error.description
    }
  }
}

extension DiskError {
  /// The failure of a system call, from its `errno`.
  init(_ operation: String, _ file: String, _ code: Int32) {
    let reason: Reason =
      switch code {
      case ENOENT: .missing
      case ENOSPC, EDQUOT: .full
      case EMFILE, ENFILE: .tooManyFiles
      default: .failed(String(cString: strerror(code)))
      }
    self.init(operation: operation, file: file, reason: reason)
  }
}

/// Kept open so that the node's own files can be opened when connections have taken all other descriptors: it is given up for one of them,
/// and taken again as soon as there is another.
final class SpareDescriptor: Sendable {
  private let descriptor = NIOLockedValueBox<Int32>(-1)

  init() { refill() }

  deinit { _ = giveUp() }

  /// Calls `open`, and once more if that failed for want of descriptors and there was one to spare. Another thread may be faster: then it
  /// fails as before.
  func opening(_ open: () -> Int32) -> Int32 {
    var opened = retrying(open)
    if opened < 0, errno == EMFILE || errno == ENFILE, giveUp() { opened = retrying(open) }
    let code = errno
    refill()
    errno = code
    return opened
  }

  private func giveUp() -> Bool {
    descriptor.withLockedValue { descriptor in
      guard descriptor >= 0 else { return false }
      _ = posixClose(descriptor)
      descriptor = -1
      return true
    }
  }

  private func refill() {
    descriptor.withLockedValue { if $0 < 0 { $0 = posixOpen("/dev/null", O_RDONLY | O_CLOEXEC) } }
  }
}

/// Calls again while a signal interrupts.
private func retrying<Result: SignedInteger>(_ call: () -> Result) -> Result {
  while true {
    let result = call()
    if result != -1 || errno != EINTR { return result }
  }
}

/// On Linux the bytes and the size, which is what recovery needs; on Darwin `fsync` leaves them in the drive's cache.
private func syncData(_ descriptor: Int32) -> Int32 {
  #if canImport(Darwin)
    fcntl(descriptor, F_FULLFSYNC)
  #else
    fdatasync(descriptor)
  #endif
}

// Inside `PosixDisk` these names are its own methods.
private func posixOpen(_ path: String, _ flags: Int32) -> Int32 { open(path, flags) }
private func posixClose(_ descriptor: Int32) -> Int32 { close(descriptor) }

/// Blocks the calling thread; a signal may end it early.
func sleepThread(_ duration: Nanoseconds) {
  var time = timespec(tv_sec: Int(duration / .seconds(1)), tv_nsec: Int((duration % .seconds(1)).count))
  nanosleep(&time, nil)
}
