/// What the holder of a lock, or who is elected, can show for it. The token grows with every holder of one name, so whatever the holder
/// writes to can refuse what comes from an earlier one; and the store itself does only what `isHeld` admits.
///
/// A lease may expire while its holder is frozen, and then another holds the lock: to believe that one holds it is not enough.
public struct Fence: Hashable, Sendable {
  /// The key that stands for the claim.
  public let key: Key
  /// The revision that made the key: larger for each holder of the name than for all before.
  public let token: Revision
  /// The key goes with it.
  public let lease: Int64

  public init(key: Key, token: Revision, lease: Int64) {
    self.key = key
    self.token = token
    self.lease = lease
  }

  /// Holds as long as the claim does: the guard of a transaction that only the holder may do.
  public var isHeld: Comparison { Comparison(range: KeyRange(key), relation: .equal, operand: .createRevision(token)) }
}

extension TransactionRequest {
  /// Does this under the claim alone. If that is gone, nothing is done, and `succeeded` is false.
  public init(underFence fence: Fence, _ requests: [Request]) {
    self.init(comparisons: [fence.isHeld], success: requests)
  }
}
