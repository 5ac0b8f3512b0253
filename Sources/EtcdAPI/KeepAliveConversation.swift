import KeyValue
import NIOCore

/// `Lease.LeaseKeepAlive` as the gateway has it: each lease that the request names is kept alive, with a line for each, and that is all.
final class KeepAliveConversation: Conversation {
  let isEndless = false

  private let gateway: Gateway
  private let timeout: Duration
  /// The next last.
  private var leases: [LeaseID]
  private var channel: ConversationChannel?
  /// An answer is awaited.
  private var isAsking = false

  init(_ gateway: Gateway, _ leases: [LeaseID], timeout: Duration) {
    self.gateway = gateway
    self.leases = leases.reversed()
    self.timeout = timeout
  }

  func begin(_ channel: ConversationChannel) {
    self.channel = channel
    goOn()
  }

  func goOn() {
    guard let channel, !isAsking, channel.isWritable() else { return }
    guard let lease = leases.popLast() else { return channel.finish() }
    isAsking = true
    gateway.service.ask(.keepAlive(lease), timeout: timeout, completion: channel.later(self) { $0.answered(lease, $1) })
  }

  private func answered(_ lease: LeaseID, _ result: Result<(answer: LeaseAnswer, revision: Revision), StoreError>) {
    isAsking = false
    guard let channel else { return }
    switch result {
    case .failure(let error): return channel.answer(.error(APIError(error)))
    case .success((.malformed, _)): return channel.answer(.error(.otherVersion))
    case .success((let answer, let revision)):
      channel.send { result in
        result.header(self.gateway.service.status, revision: revision)
        result.field("ID", lease)
        if case .lease(let remaining, _) = answer { result.field("TTL", remaining) }
      }
    }
    goOn()
  }

  func close() { channel = nil }
}
