import KeyValue
import NIOCore
import Replica

/// `Lease.LeaseTimeToLive`: the leader knows how long, and the state which keys.
final class TimeToLiveConversation: Conversation {
  let isEndless = false

  private let gateway: Gateway
  private let lease: LeaseID
  private let wantsKeys: Bool
  private let timeout: Duration
  private var channel: ConversationChannel?

  init(_ gateway: Gateway, _ lease: LeaseID, wantsKeys: Bool, timeout: Duration) {
    self.gateway = gateway
    self.lease = lease
    self.wantsKeys = wantsKeys
    self.timeout = timeout
  }

  func begin(_ channel: ConversationChannel) {
    self.channel = channel
    gateway.service.ask(.remaining(lease), timeout: timeout, completion: channel.later(self) { $0.answered($1) })
  }

  private func answered(_ result: Result<(answer: LeaseAnswer, revision: Revision), StoreError>) {
    guard let channel else { return }
    switch result {
    case .failure(let error): channel.answer(.error(APIError(error)))
    case .success((.lease(let remaining, let granted), let revision)):
      guard wantsKeys else { return answer(remaining: remaining, granted: granted, keys: [], revision) }
      gateway.service.perform(
        .lease(lease), consistency: .linearizable, timeout: timeout,
        completion: channel.later(self) { $0.foundKeys($1, remaining: remaining) })
    case .success((.malformed, _)): channel.answer(.error(.otherVersion))
    case .success((.gone, let revision)):
      answer(remaining: -1, granted: 0, keys: [], revision)
    }
  }

  private func foundKeys(_ result: Result<ServedAnswer, StoreError>, remaining: Int64) {
    switch result {
    case .failure(let error): channel?.answer(.error(APIError(error)))
    case .success(let served):
      guard case .lease(let lease?) = served.answer.result else {
        return answer(remaining: -1, granted: 0, keys: [], served.answer.revision)
      }
      answer(remaining: remaining, granted: lease.timeToLive, keys: lease.keys, served.answer.revision)
    }
  }

  private func answer(remaining: Int64, granted: Int64, keys: [Key], _ revision: Revision) {
    let (status, lease) = (gateway.service.status, lease)
    channel?.answer(
      .json { writer in
        writer.object { body in
          body.header(status, revision: revision)
          body.field("ID", lease)
          body.field("TTL", remaining)
          body.field("grantedTTL", granted)
          body.array("keys", keys) { $0.element(base64: $1) }
        }
      })
  }

  func goOn() {}

  func close() { channel = nil }
}
