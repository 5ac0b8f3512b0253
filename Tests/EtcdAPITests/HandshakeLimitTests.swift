import NIOCore
import NIOEmbedded
import Sockets
import Testing

@testable import EtcdAPI

/// Who goes when too many connections have not agreed on TLS.
@Suite struct HandshakeLimitTests {
  private let limit = HandshakeLimit(maximum: 4)

  /// - Returns: the channel, what to call when TLS is agreed on, and who had to go.
  private func admit(from host: String) throws -> (channel: EmbeddedChannel, agreed: @Sendable () -> Void, evicted: [ObjectIdentifier]) {
    let channel = EmbeddedChannel()
    try channel.connect(to: try SocketAddress(ipAddress: host, port: 1)).wait()
    var evicted: [ObjectIdentifier] = []
    let agreed = limit.admit(channel) { evicted.append(ObjectIdentifier($0)) }
    channel.embeddedEventLoop.run()
    return (channel, agreed, evicted)
  }

  @Test func whoHoldsMostLosesTheOldest() throws {
    let honest = try admit(from: "10.0.0.1")
    let crowd = try (0..<3).map { _ in try admit(from: "10.0.0.2") }
    #expect(crowd.allSatisfy { $0.evicted.isEmpty && $0.channel.isActive })
    let late = try admit(from: "10.0.0.3")
    #expect(late.evicted == [ObjectIdentifier(crowd[0].channel)] && !crowd[0].channel.isActive)
    let more = try admit(from: "10.0.0.2")
    #expect(more.evicted == [ObjectIdentifier(crowd[1].channel)])
    #expect(honest.channel.isActive && late.channel.isActive)
  }

  @Test func whoHasAgreedOrGoneDoesNotCount() throws {
    let first = try (0..<4).map { _ in try admit(from: "10.0.0.1") }
    first[0].agreed()
    first[0].agreed()
    _ = try first[1].channel.finish()
    #expect(try admit(from: "10.0.0.1").evicted.isEmpty)
    #expect(try admit(from: "10.0.0.1").evicted.isEmpty)
    #expect(try admit(from: "10.0.0.1").evicted == [ObjectIdentifier(first[2].channel)])
    #expect(first[0].channel.isActive)
  }

  /// Or whoever has a network of version 6 would count as many.
  @Test func anAddressOfVersion6CountsByItsNetwork() throws {
    let cases = [
      ("2001:db8:0:1::5", "2001:db8:0:1::/64"), ("2001:db8:0:1:ffff::9", "2001:db8:0:1::/64"), ("::1", "0:0:0:0::/64"),
      ("::ffff:10.1.2.3", "10.1.2.3"), ("10.1.2.3", "10.1.2.3"),
    ]
    for (address, network) in cases { #expect(try SocketAddress(ipAddress: address, port: 1).network == network) }
    let crowd = try (1...4).map { try admit(from: "2001:db8:0:1::\($0)") }
    #expect(try admit(from: "2001:db8:0:2::1").evicted == [ObjectIdentifier(crowd[0].channel)])
  }
}
