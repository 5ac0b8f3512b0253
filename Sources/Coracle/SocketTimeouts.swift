import NIOCore

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

enum SocketTimeouts {
  /// Lets the system give up a connection whose bytes nobody acknowledges. Without this it would send again at ever longer intervals, for a
  /// quarter of an hour, and a network that came back would not be noticed for minutes (RFC 5482).
  static func limitUnacknowledgedTime(of channel: any Channel, to time: TimeAmount) {
    #if os(Linux)
      let option = ChannelOptions.tcpOption(.init(rawValue: TCP_USER_TIMEOUT))
      // A system that does not know it is as good as without.
      try? channel.syncOptions?.setOption(option, value: SocketOptionValue(time.nanoseconds / 1_000_000))
    #endif
  }
}
