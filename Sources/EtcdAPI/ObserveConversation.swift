import KeyValue
import NIOCore
import Replica

/// `Election.Observe`: a line with the leader now, with each of its later values, and with each leader that follows.
final class ObserveConversation: Conversation {
  let isEndless = true

  private let gateway: Gateway
  private let name: Key
  private var leader: KeyValuePair?
  private var watch: (any ServedWatch)?
  private var channel: ConversationChannel?
  private var hasTurn = false

  init(_ gateway: Gateway, _ name: Key) {
    self.gateway = gateway
    self.name = name
  }

  func begin(_ channel: ConversationChannel) {
    self.channel = channel
    gateway.service.read(
      .linearizable, timeout: gateway.settings.requestTimeout, completion: channel.later(self) { $0.begin($1) })
  }

  private func begin(_ result: Result<KeyValueView, StoreError>) {
    guard let channel else { return }
    do {
      let view = try result.get()
      let request = WatchRequest(range: KeyRange(prefix: name + [UInt8(ascii: "/")]), startRevision: view.revision + 1)
      watch = try gateway.service.watch(request, in: view, wake: channel.wake(self) { $0.goOn() })
      if let leader = Self.leader(of: name, in: view, at: view.revision) { tell(leader, revision: view.revision) }
      goOn()
    } catch let error as StoreError {
      channel.answer(.error(APIError(error)))
    } catch let error as WatchError {
      channel.answer(.error(APIError(StoreError.watch(error))))
    } catch {
      channel.answer(.error(APIError(.internalError, "coracle: \(error)")))
    }
  }

  private static func leader(of name: Key, in view: KeyValueView, at revision: Revision) -> KeyValuePair? {
    var request = Candidacy.holder(of: name)
    request.revision = revision
    switch view.answer(.range(request)) {
    case .success(let response):
      guard case .range(let found) = response.result else { return nil }
      return found.pairs.first
    // What is remembered begins later than that: the leader of now will do.
    case .failure: return revision < view.revision ? leader(of: name, in: view, at: view.revision) : nil
    }
  }

  func goOn() {
    guard let channel, channel.isWritable(), let watch else { return }
    guard let (answer, revision) = watch.next(bytes: gateway.settings.chunkBytes) else {
      return channel.answer(.error(APIError(RequestError(.stopped, outcome: .notDone))))
    }
    switch answer {
    case .events(let events, _, let isIdle):
      for event in events { hear(event, revision) }
      if !isIdle { goOnLater() }
    case .compacted: channel.answer(.error(APIError(KeyValueError.compacted)))
    case .denied(let error): channel.answer(.error(APIError(KeyValueError.access(error))))
    }
  }

  private func goOnLater() {
    guard let channel, !hasTurn else { return }
    hasTurn = true
    let this = NIOLoopBound(self, eventLoop: channel.eventLoop)
    gateway.answers.turns(of: channel.eventLoop).add {
      this.value.hasTurn = false
      this.value.goOn()
    }
  }

  private func hear(_ event: Event, _ revision: Revision) {
    if let pair = event.pair {
      if leader == nil || leader?.key == pair.key { tell(pair, revision: revision) }
    } else if event.key == leader?.key {
      leader = nil
      if let next = watch?.view.flatMap({ Self.leader(of: name, in: $0, at: event.modRevision) }) { tell(next, revision: revision) }
    }
  }

  private func tell(_ pair: KeyValuePair, revision: Revision) {
    leader = pair
    channel?.send { result in
      result.header(self.gateway.service.status, revision: revision)
      result.object("kv") { $0.fields(of: pair) }
    }
  }

  func close() {
    channel = nil
    watch?.close()
    watch = nil
  }
}
