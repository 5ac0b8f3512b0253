import Foundation

/// What goes to standard output and standard error.
enum Output {
  /// Bytes as they are. Throws `.outputLost` where they cannot be written: nobody reads them, or the disk is full.
  static func write(_ bytes: some Sequence<UInt8>) throws(ClientError) {
    if let code = send(Array(bytes), to: STDOUT_FILENO) { throw .outputLost(code) }
  }

  /// A value as it is; on a terminal, on a line of its own.
  static func writeValue(_ bytes: [UInt8]) throws(ClientError) {
    let endsLine = bytes.last == UInt8(ascii: "\n") || isatty(STDOUT_FILENO) != 1
    try write(endsLine ? bytes : bytes + [UInt8(ascii: "\n")])
  }

  static func line(_ text: String) throws(ClientError) { try write((text + "\n").utf8) }

  /// For output that goes on without a reader.
  static func tell(_ text: String) { _ = send(Array((text + "\n").utf8), to: STDOUT_FILENO) }

  static func complain(_ text: String) { complain(asItIs: "coracle: \(text)") }

  static func complain(asItIs text: String) { _ = send(Array((text + "\n").utf8), to: STDERR_FILENO) }

  /// A failure to write an answer becomes an error like any other, and does not end the process. A standard descriptor that the parent
  /// process closed must not become a file's or a connection's: it becomes one that nothing can be written to.
  static func prepare() {
    signal(SIGPIPE, SIG_IGN)
    for descriptor in STDIN_FILENO...STDERR_FILENO where fcntl(descriptor, F_GETFD) == -1 { _ = open("/dev/null", O_RDONLY) }
  }

  /// - Returns: The system's number for what went wrong.
  private static func send(_ bytes: [UInt8], to descriptor: Int32) -> Int32? {
    var sent = 0
    while sent < bytes.count {
      let count = bytes[sent...].withUnsafeBytes { Foundation.write(descriptor, $0.baseAddress, $0.count) }
      if count > 0 {
        sent += count
      } else if count < 0, errno == EAGAIN {
        var readiness = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        _ = poll(&readiness, 1, -1)
      } else if count == 0 || errno != EINTR {
        return errno
      }
    }
    return nil
  }
}
