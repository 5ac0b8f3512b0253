import EtcdAPI
import KeyValue
import Links
import Replica
import ShortLinks

/// A node, as the link service sees it.
struct NodeLinkStore: LinkStore {
  let service: NodeService
  let passwords: PasswordCheck
  let refusals: RefusalReport

  /// A person waits for a link: an error after this time is better than none.
  private static let timeout = Duration.seconds(5)

  func perform(_ request: Request) async throws(LinkStoreError) -> Response {
    try await ask(request, .linearizable).answer
  }

  func read(_ request: RangeRequest, for subject: Subject?, allowStale: Bool) async throws(LinkStoreError) -> StoreReading {
    let request = subject.map { Request.onBehalf(of: $0, .range(request)) } ?? .range(request)
    let served = try await ask(request, allowStale ? .serializable : .linearizable)
    let isStale = served.staleness.map { $0 > service.usualSilence } ?? false
    return StoreReading(answer: served.answer, isStale: isStale)
  }

  var hasUsers: Bool { service.access.isEnabled }

  func judge(_ login: LinkLogin) async -> LinkLoginVerdict {
    let verdict: LinkLoginVerdict =
      switch await passwords.judge(login.user, login.password, from: login.host ?? "", in: service.access) {
      case .right: .right
      case .wrong: .wrong
      case .tooManyWrong: .tooManyWrong
      case .busy: .busy
      }
    // Without the name: people type their password there too.
    if verdict == .wrong { refusals.say(["address": "\(login.host ?? "unknown")", "reason": "the user or the password is wrong"]) }
    return verdict
  }

  private func ask(_ request: Request, _ consistency: Consistency) async throws(LinkStoreError) -> ServedAnswer {
    let result = await withCheckedContinuation { continuation in
      service.perform(request, consistency: consistency, timeout: Self.timeout) { continuation.resume(returning: $0) }
    }
    switch result {
    case .success(let served): return served
    case .failure(.keyValue(let error)): throw .refused(error)
    case .failure(.request(let error)): throw LinkStoreError(error)
    case .failure(.watch): throw .unavailable
    }
  }
}

extension LinkStoreError {
  init(_ error: RequestError) {
    switch (error.outcome, error.reason) {
    case (.unknown, _): self = .outcomeUnknown
    case (.notDone, .busy): self = .busy
    case (.notDone, .tooLarge): self = .refused(.tooLarge)
    case (.notDone, _): self = .unavailable
    }
  }
}
