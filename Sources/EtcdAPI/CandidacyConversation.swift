import KeyValue
import NIOCore
import Replica

/// `Lock.Lock` and `Election.Campaign`: the answer comes when the lock is held. A client that goes before is no candidate any more.
///
/// Without a lease, one is granted that is kept alive as long as the client waits, as etcd does.
final class CandidacyConversation: Conversation {
  enum Purpose { case lock, campaign }

  private static let ownLeaseSeconds: Int64 = 60

  let isEndless = true

  private let gateway: Gateway
  private let purpose: Purpose
  private let fields: ClaimFields
  private let ownsLease: Bool
  /// As long as the client says, or for ever.
  private let timeout: Duration?
  private var candidacy: Candidacy
  private var channel: ConversationChannel?
  private var awaited: (any ServedWatch)?
  private var keepAlive: RepeatedTask?
  private var deadline: Scheduled<Void>?
  private var isOver = false

  init(_ gateway: Gateway, _ purpose: Purpose, _ fields: ClaimFields, timeout: Duration?) {
    self.gateway = gateway
    self.purpose = purpose
    self.fields = fields
    self.timeout = timeout
    ownsLease = fields.lease == 0
    let lease = ownsLease ? .random(in: 1 ... .max) : fields.lease
    candidacy = Candidacy(name: fields.name, lease: lease, value: purpose == .campaign ? fields.value : [])
  }

  func begin(_ channel: ConversationChannel) {
    self.channel = channel
    let this = NIOLoopBound(self, eventLoop: channel.eventLoop)
    if let timeout {
      deadline = channel.eventLoop.scheduleTask(in: TimeAmount(timeout)) { this.value.fail(.deadlineExceeded) }
    }
    guard ownsLease else { return take(candidacy.begin()) }
    let pause = TimeAmount.seconds(Self.ownLeaseSeconds / 3)
    keepAlive = channel.eventLoop.scheduleRepeatedTask(initialDelay: pause, delay: pause) { _ in this.value.keepLeaseAlive() }
    perform(.leaseGrant(LeaseGrantRequest(id: candidacy.lease, timeToLive: Self.ownLeaseSeconds))) { this, _ in
      this.take(this.candidacy.begin())
    }
  }

  func goOn() {}

  func close() {
    guard !isOver else { return }
    end()
    withdraw()
  }

  // MARK: Steps

  private func take(_ step: Candidacy.Step) {
    switch step {
    case .perform(let request): perform(request) { this, response in this.take(this.candidacy.answered(response)) }
    case .wait(let key, let revision): wait(for: key, from: revision)
    case .held(let fence, let revision): hold(fence, revision)
    case .lost: fail(APIError(.unknown, purpose == .lock ? "mutex: session is expired" : "election: session is expired"))
    }
  }

  private func perform(_ request: Request, _ next: @escaping @Sendable (CandidacyConversation, Response) -> Void) {
    guard let channel, !isOver else { return }
    let answered = channel.later(self) { (this, result: Result<ServedAnswer, StoreError>) in
      switch result {
      // It was put after all: who is gone must not be waited for.
      case _ where this.isOver: this.withdraw(after: result)
      case .success(let served): next(this, served.answer)
      case .failure(let error): this.fail(APIError(error))
      }
    }
    gateway.service.perform(
      request, consistency: .linearizable, timeout: gateway.settings.requestTimeout, completion: answered)
  }

  private func wait(for key: Key, from revision: Revision) {
    guard let channel, !isOver else { return }
    gateway.service.read(
      .serializable, timeout: gateway.settings.requestTimeout,
      completion: channel.later(self) { $0.wait(for: key, from: revision, $1) })
  }

  private func wait(for key: Key, from revision: Revision, _ result: Result<KeyValueView, StoreError>) {
    guard let channel, !isOver else { return }
    do {
      let request = WatchRequest(range: KeyRange(key), startRevision: revision, filter: .noPut)
      awaited = try gateway.service.watch(
        request, in: try result.get(), wake: channel.wake(self) { $0.lookWhetherReleased() })
      lookWhetherReleased()
    } catch let error as StoreError {
      fail(APIError(error))
    } catch let error as WatchError {
      fail(APIError(StoreError.watch(error)))
    } catch {
      fail(APIError(.internalError, "coracle: \(error)"))
    }
  }

  private func lookWhetherReleased() {
    guard let channel, let awaited, !isOver else { return }
    switch awaited.next(bytes: gateway.settings.chunkBytes)?.answer {
    case .events(let events, _, let isIdle) where events.isEmpty:
      guard !isIdle else { return }
      channel.wake(self) { $0.lookWhetherReleased() }()
    case .events, .compacted, .denied:
      awaited.close()
      self.awaited = nil
      take(candidacy.released())
    case nil: fail(APIError(RequestError(.stopped, outcome: .unknown)))
    }
  }

  private func keepLeaseAlive() { gateway.service.ask(.keepAlive(candidacy.lease), timeout: gateway.settings.requestTimeout) { _ in } }

  // MARK: Ends

  private func hold(_ fence: Fence, _ revision: Revision) {
    guard let channel, !isOver else { return }
    end()
    let (status, name, purpose, enteredAt) = (gateway.service.status, fields.name, purpose, candidacy.enteredAt)
    channel.answer(
      .json { writer in
        writer.object { body in
          switch purpose {
          case .lock:
            body.header(status, revision: revision)
            body.field("key", base64: fence.key)
          case .campaign:
            body.header(status, revision: enteredAt)
            body.object("leader") { leader in
              leader.field("name", base64: name)
              leader.field("key", base64: fence.key)
              leader.field("rev", fence.token)
              leader.field("lease", fence.lease)
            }
          }
        }
      })
  }

  private func fail(_ error: APIError) {
    guard let channel, !isOver else { return }
    end()
    withdraw()
    channel.answer(.error(Gateway.ofRecipe(error)))
  }

  private func end() {
    isOver = true
    deadline?.cancel()
    keepAlive?.cancel()
    awaited?.close()
    awaited = nil
    channel = nil
  }

  private func withdraw() {
    // A claim that was there before is another request's, which may hold it.
    if candidacy.isNew, let request = candidacy.withdrawal { doWithoutAnswer(request) }
    if ownsLease { doWithoutAnswer(.leaseRevoke(candidacy.lease)) }
  }

  private func withdraw(after result: Result<ServedAnswer, StoreError>) {
    if candidacy.fence == nil, case .success(let served) = result { _ = candidacy.answered(served.answer) }
    withdraw()
  }

  private func doWithoutAnswer(_ request: Request) {
    gateway.service.perform(request, consistency: .linearizable, timeout: gateway.settings.requestTimeout) { _ in }
  }
}
