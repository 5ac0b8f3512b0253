import Coracle
import Credentials
import EtcdAPI
import Foundation
import NIOCore
import NIOPosix
import NIOSSL
import X509

/// How a server with a token gets its first certificate. The token's pin says which authority the other side must have, before anything is
/// said; its secret lets this server in.
struct Enrollment {
  let endpoint: HostPort
  let token: JoinToken
  /// The same at each attempt, so that the token is not used up by one whose answer is lost.
  let key: KeyPair
  /// The cluster that the server belongs to already, if it does.
  var domain: TrustDomain?

  private static let time = TimeAmount.seconds(5)

  func enroll(_ node: UInt64, names: [String]) async throws -> NodeSecrets.Contents {
    let anchors = try await anchors()
    // Before anything is asked for: the token is good for another server.
    guard domain == nil || domain == anchors.domain, let authority = anchors.authorities.first else {
      throw EnrollmentError(
        endpoint: endpoint,
        reason: "the token is of another cluster than this data directory: use an empty directory, or a token of its own cluster")
    }
    let request = CertificationCalls.JoinRequest(
      number: token.number.hexadecimal, secret: Data(token.secret), node: String(node, radix: 16), request: try key.request(), names: names)
    let client = ClusterClient(
      endpoints: [endpoint], timeout: .nanoseconds(2 * Self.time.nanoseconds), credentials: try ClientCredentials(authority: authority))
    let bytes: [UInt8]
    do {
      bytes = try await client.administer(.join, Array(try JSONEncoder().encode(request)))
      await client.close()
    } catch {
      await client.close()
      throw EnrollmentError(endpoint: endpoint, reason: "\(error)")
    }
    return try contents(of: bytes, anchors.domain)
  }

  private func contents(of bytes: [UInt8], _ domain: TrustDomain) throws -> NodeSecrets.Contents {
    do {
      let answer = try JSONDecoder().decode(CertificationCalls.JoinAnswer.self, from: Data(bytes))
      let chain = try CertificateText.decode(answer.certificates)
      guard let wrapping = WrappingKey(bytes: Array(answer.wrappingKey)), chain.first?.publicKey == key.publicKey,
        try answer.authorities.trustDomain() == domain
      else { throw CertificateFault.malformed }
      _ = try answer.authorities.newest(wrapping)
      return NodeSecrets.Contents(wrappingKey: wrapping, authorities: answer.authorities, key: key, chain: chain)
    } catch {
      throw EnrollmentError(endpoint: endpoint, reason: "its answer is not understood; is it another release?")
    }
  }

  /// Connects, and looks whether the other side has the authority that the token names.
  private func anchors() async throws -> TrustAnchors {
    let eventLoop = MultiThreadedEventLoopGroup.singleton.next()
    let found = eventLoop.makePromise(of: TrustAnchors.self)
    var configuration = TLSConfiguration.makeClientConfiguration()
    configuration.certificateVerification = .noHostnameVerification
    let context = try NIOSSLContext(configuration: configuration)
    let (pin, deadline) = (token.pin, eventLoop.scheduleTask(in: Self.time) { found.fail(ChannelError.connectTimeout(Self.time)) })
    do {
      let channel = try await ClientBootstrap(group: eventLoop).connectTimeout(Self.time).channelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          let tls = try NIOSSLClientHandler(context: context, serverHostname: nil) { certificates, promise in
            let checked = promise.futureResult.eventLoop.makeFutureWithTask {
              let chain = try certificates.prefix(8).map { try Certificate(der: $0.toDERBytes()) }
              let (anchors, identity) = try await TrustAnchors.anchors(pinnedBy: pin, in: chain)
              guard case .node = identity else { throw CertificateFault.wrongParty(identity) }
              return anchors
            }
            checked.whenComplete { result in
              found.completeWith(result)
              promise.succeed((try? result.get()) == nil ? .failed : .certificateVerified)
            }
          }
          try channel.pipeline.syncOperations.addHandler(tls)
          try channel.pipeline.syncOperations.addHandler(HandshakeFailure(found))
        }
      }.connect(host: endpoint.host, port: endpoint.port).get()
      let anchors = try await found.futureResult.get()
      deadline.cancel()
      try? await channel.close()
      return anchors
    } catch {
      deadline.cancel()
      // Unless it was this that failed.
      found.fail(error)
      throw EnrollmentError(endpoint: endpoint, reason: Self.words(error))
    }
  }

  private static func words(_ error: any Error) -> String {
    switch error {
    case CertificateFault.foreign: "it is not of the cluster that made the token"
    case let fault as CertificateFault: "\(fault)"
    case is NIOSSLError: "it does not talk encrypted; a cluster that talks in plain text is joined without a token"
    default: Unreachable(error)?.description ?? "\(error)"
    }
  }
}

/// Tells why there will be no handshake.
private final class HandshakeFailure: ChannelInboundHandler {
  typealias InboundIn = NIOAny

  private let found: EventLoopPromise<TrustAnchors>

  init(_ found: EventLoopPromise<TrustAnchors>) { self.found = found }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    found.fail(error)
    context.close(promise: nil)
  }

  func channelInactive(context: ChannelHandlerContext) { found.fail(ChannelError.eof) }
}

struct EnrollmentError: Error, CustomStringConvertible {
  let endpoint: HostPort
  let reason: String

  var description: String { "\(endpoint) does not let this server join: \(reason)" }
}
