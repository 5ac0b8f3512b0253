import Credentials
import NIOCore
import NIOSSL

/// Whom a connection's client has shown itself to be, and whether that counts still: its certificate may end, its authority may retire, and
/// a node may be removed, while the connection stays. Confined to the connection's event loop.
final class Standing {
  /// How often it is looked at while a conversation goes on; a request looks for itself.
  static let interval = TimeAmount.seconds(1)

  /// What TLS says of the client; `nil` in plain text.
  private let outcome: HandshakeOutcome?
  private var looks: RepeatedTask?

  init(_ outcome: HandshakeOutcome?) { self.outcome = outcome }

  var caller: Caller {
    guard let outcome else { return .anyone }
    return switch outcome.identity {
    case .node(_, let id): .node(id)
    case .client(_, let name): .client(name)
    case nil: .stranger
    }
  }

  func handshakeCompleted(_ certificate: NIOSSLCertificate?) { outcome?.resume(certificate) }

  /// What the client is told if it is heard no more.
  func lapse(_ gateway: Gateway) -> APIError? {
    if let fault = outcome?.lapse() { return APIError(.unauthenticated, "coracle: \(fault)") }
    guard case .node(let id) = caller, gateway.isFormer(id) else { return nil }
    return .formerMember
  }

  /// Calls `ended` once if the client's standing lapses before `stopLooking`.
  func keepLooking(_ gateway: Gateway, on eventLoop: any EventLoop, ended: @escaping (APIError) -> Void) {
    guard outcome?.identity != nil else { return }
    let this = NIOLoopBound((standing: self, ended: ended), eventLoop: eventLoop)
    looks = eventLoop.scheduleRepeatedTask(initialDelay: Self.interval, delay: Self.interval) { task in
      guard let error = this.value.standing.lapse(gateway) else { return }
      task.cancel()
      this.value.ended(error)
    }
  }

  func stopLooking() {
    looks?.cancel()
    looks = nil
  }
}
