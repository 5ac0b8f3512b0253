import ByteCoding

/// The way to a lock, or to being elected, as etcd's clients go it (`client/v3/concurrency`): each candidate puts a key of its own below
/// the name, which goes with its lease. The key that was made first holds; the next one waits until the last key made before its own is
/// deleted. So one deletion wakes one candidate.
///
/// A value that says what to ask the store next, and is told what came of it.
public struct Candidacy: Sendable {
  public enum Step: Sendable {
    /// Have this done, and hand the response to `answered`.
    case perform(Request)
    /// Wait until this key is deleted, at this revision or later, and call `released`.
    case wait(for: Key, from: Revision)
    /// It holds, as of this revision.
    case held(Fence, revision: Revision)
    /// Its own key is gone: its lease has expired, or somebody deleted it.
    case lost
  }

  private enum Phase { case entering, proclaiming, looking, waiting, done }

  private let prefix: Key
  private let key: Key
  /// Of the candidate.
  public let lease: Int64
  private let value: Value
  private var phase = Phase.entering
  private var token: Revision = 0
  /// Whether this candidacy made its key: if not, another one of the same lease did, and may hold it.
  public private(set) var isNew = false
  /// The store's when it entered.
  public private(set) var enteredAt: Revision = 0

  /// - Parameters:
  ///   - name: of the lock or the election; candidates are below `name/`.
  ///   - lease: of the candidate: its key is `name/` and the lease in hexadecimal. The same lease has one candidacy for a name, and gets
  ///     the same claim again.
  ///   - value: what the key is to hold: for an election, what the leader proclaims.
  public init(name: Key, lease: Int64, value: Value = []) {
    prefix = name + [UInt8(ascii: "/")]
    key = prefix + Array(String(lease, radix: 16).utf8)
    self.lease = lease
    self.value = value
  }

  /// The claim, once the key has been made.
  public var fence: Fence? { token == 0 ? nil : Fence(key: key, token: token, lease: lease) }

  public func begin() -> Step {
    let isNew = Comparison(range: KeyRange(key), relation: .equal, operand: .createRevision(0))
    let put = Request.put(PutRequest(key: key, value: value, lease: lease))
    let own = Request.range(RangeRequest(range: KeyRange(key)))
    return .perform(.transaction(TransactionRequest(comparisons: [isNew], success: [put, first], failure: [own, first])))
  }

  /// Whoever holds it.
  private var first: Request { .range(Self.holder(below: prefix)) }

  /// The claim that holds a name, if there is one: the pair whose key was made first.
  public static func holder(of name: Key) -> RangeRequest { holder(below: name + [UInt8(ascii: "/")]) }

  private static func holder(below prefix: Key) -> RangeRequest {
    RangeRequest(range: KeyRange(prefix: prefix), limit: 1, order: .ascending, target: .createRevision)
  }

  /// - Precondition: it is the response to what the last step asked for.
  public mutating func answered(_ response: Response) -> Step {
    guard case .transaction(let succeeded, let results) = response.result else { return lose() }
    switch phase {
    case .entering:
      guard results.count == 2, case .range(let holder) = results[1] else { return lose() }
      enteredAt = response.revision
      if succeeded {
        token = response.revision
        isNew = true
      } else {
        guard case .range(let own) = results[0], let pair = own.pairs.first else { return lose() }
        token = pair.createRevision
        if pair.value != value { return proclaim() }
      }
      return holder.pairs.first?.createRevision == token ? hold(response.revision) : look()
    case .proclaiming: return succeeded ? look() : lose()
    case .looking:
      guard succeeded, case .range(let before)? = results.first else { return lose() }
      guard let last = before.pairs.first else { return hold(response.revision) }
      phase = .waiting
      return .wait(for: last.key, from: response.revision + 1)
    case .waiting, .done: return lose()
    }
  }

  /// The key that it waited for is deleted, or what happened to it cannot be told any more: it looks again.
  public mutating func released() -> Step { look() }

  /// Takes the claim back, held or not; nothing is done if it is gone, or another's.
  public var withdrawal: Request? {
    fence.map { .transaction(TransactionRequest(underFence: $0, [.delete(DeleteRequest(range: KeyRange(key)))])) }
  }

  private mutating func proclaim() -> Step {
    guard let fence else { return lose() }
    phase = .proclaiming
    return .perform(.transaction(TransactionRequest(underFence: fence, [.put(PutRequest(key: key, value: value, lease: lease))])))
  }

  private mutating func look() -> Step {
    guard let fence else { return lose() }
    phase = .looking
    let before = RangeRequest(
      range: KeyRange(prefix: prefix), limit: 1, order: .descending, target: .createRevision, keysOnly: true,
      maximumCreateRevision: token - 1)
    return .perform(.transaction(TransactionRequest(underFence: fence, [.range(before)])))
  }

  private mutating func hold(_ revision: Revision) -> Step {
    guard let fence else { return lose() }
    phase = .done
    return .held(fence, revision: revision)
  }

  private mutating func lose() -> Step {
    phase = .done
    return .lost
  }
}
