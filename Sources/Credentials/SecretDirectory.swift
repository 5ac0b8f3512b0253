import Foundation

#if canImport(Darwin)
  import Darwin
#elseif canImport(Musl)
  import Musl
#else
  import Glibc
#endif

/// Files that nobody but the server's user may read: the directory has mode 0700, its files 0600.
public struct SecretDirectory: Sendable {
  /// Most bytes of a file.
  public static let maximumFileSize = 256 << 10

  public let path: String

  public init(path: String) { self.path = path }

  /// Makes the directory if it is missing; its parent must be there.
  public func create() throws(SecretFileError) {
    if mkdir(path, 0o700) != 0, errno != EEXIST { throw .system("create directory", path, errno) }
    try check(path, Self.status(of: path))
  }

  /// `nil` if there is none. Throws if others could have read it.
  public func read(_ name: String) throws(SecretFileError) -> [UInt8]? {
    guard let directory = Self.status(of: path) else { return nil }
    try check(path, directory)
    let file = path + "/" + name
    let descriptor = open(file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
    guard descriptor >= 0 else {
      if errno == ENOENT { return nil }
      throw .system("open", file, errno)
    }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw .system("look at", file, errno) }
    try check(file, status)
    guard status.st_size <= Self.maximumFileSize else { throw .tooLarge(file) }
    let handle = FileHandle(fileDescriptor: descriptor, closeOnDealloc: false)
    guard let data = try? handle.readToEnd() ?? Data() else { throw .system("read", file, EIO) }
    return Array(data)
  }

  /// Durable when it returns; either the old file or the new one is there whenever the machine stops.
  public func write(_ name: String, _ bytes: [UInt8]) throws(SecretFileError) {
    try create()
    let (file, temporary) = (path + "/" + name, path + "/" + name + ".part")
    _ = unlink(temporary)
    let descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
    guard descriptor >= 0 else { throw .system("create", temporary, errno) }
    defer { close(descriptor) }
    var written = 0
    while written < bytes.count {
      let count = bytes.withUnsafeBytes { pwrite(descriptor, $0.baseAddress! + written, $0.count - written, off_t(written)) }
      guard count >= 0 || errno == EINTR else { throw .system("write", temporary, errno) }
      written += max(count, 0)
    }
    guard fsync(descriptor) == 0 else { throw .system("sync", temporary, errno) }
    guard rename(temporary, file) == 0 else { throw .system("rename", temporary, errno) }
    try sync()
  }

  public func remove(_ name: String) throws(SecretFileError) {
    guard unlink(path + "/" + name) == 0 || errno == ENOENT else { throw .system("remove", path + "/" + name, errno) }
  }

  private func sync() throws(SecretFileError) {
    let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else { throw .system("open", path, errno) }
    defer { close(descriptor) }
    guard fsync(descriptor) == 0 else { throw .system("sync", path, errno) }
  }

  private static func status(of path: String) -> stat? {
    var status = stat()
    return lstat(path, &status) == 0 ? status : nil
  }

  private func check(_ path: String, _ status: stat?) throws(SecretFileError) {
    guard let status else { throw .system("look at", path, ENOENT) }
    guard status.st_uid == geteuid() else { throw .ofAnotherUser(path) }
    guard status.st_mode & 0o077 == 0 else {
      throw .openToOthers(path, mode: status.st_mode & S_IFMT == S_IFDIR ? "700" : "600")
    }
  }
}

/// Why a secret is not read or written.
public enum SecretFileError: Error, Hashable, Sendable, CustomStringConvertible {
  /// Others than its owner can read or change it.
  case openToOthers(String, mode: String)
  case ofAnotherUser(String)
  case tooLarge(String)
  case system(String, String, Int32)

  public var description: String {
    switch self {
    case .openToOthers(let path, let mode):
      "others than its owner may open \(path), which holds secrets: if nobody can have read it, say `chmod \(mode) \(path)` and try again"
    case .ofAnotherUser(let path): "\(path) belongs to another user: run this as that one, or `chown` it"
    case .tooLarge(let path): "\(path) is larger than any file of this kind"
    case .system(let action, let path, let code): "cannot \(action) \(path): \(String(cString: strerror(code)).lowercased())"
    }
  }
}
