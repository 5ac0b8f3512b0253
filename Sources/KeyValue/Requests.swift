/// The bytes of a key or a value.
public typealias Key = [UInt8]
public typealias Value = [UInt8]

/// The number of a lease, chosen by whoever asks for it. Never 0.
public typealias LeaseID = Int64

/// Counts changes of the whole store; starts at 1 (empty). Every request that changes something makes one.
public typealias Revision = Int64

/// A key with its value and history, as etcd's `mvccpb.KeyValue`.
public struct KeyValuePair: Hashable, Sendable {
  public var key: Key
  /// Empty when only keys were asked for.
  public var value: Value
  /// The revision that made the key (anew, if it was deleted in between).
  public var createRevision: Revision
  /// The revision of its last change.
  public var modRevision: Revision
  /// Changes since it was made; 1 when new.
  public var version: Int64
  /// The lease that the key goes with; 0 for none.
  public var lease: LeaseID

  public init(key: Key, value: Value, createRevision: Revision, modRevision: Revision, version: Int64, lease: Int64 = 0) {
    self.key = key
    self.value = value
    self.createRevision = createRevision
    self.modRevision = modRevision
    self.version = version
    self.lease = lease
  }
}

/// Which keys: one, an interval, a prefix, or all from a key on. etcd's `key` and `range_end`.
public struct KeyRange: Hashable, Sendable {
  public let start: Key
  /// Exclusive. `nil`: the key `start` alone; `[0]`: no end. Never empty.
  public let end: Key?

  /// An empty end is none, as in etcd's messages, where `nil` cannot be said.
  public init(start: Key, end: Key?) {
    self.start = start
    self.end = end?.isEmpty == true ? nil : end
  }

  /// One key.
  public init(_ key: Key) { self.init(start: key, end: nil) }

  /// Every key.
  public static let all = KeyRange(start: [0], end: [0])

  /// Every key that begins with these bytes.
  public init(prefix: Key) {
    guard let last = prefix.lastIndex(where: { $0 < .max }) else {
      self.init(start: prefix.isEmpty ? [0] : prefix, end: [0])
      return
    }
    self.init(start: prefix, end: prefix[..<last] + [prefix[last] + 1])
  }

  var isUnbounded: Bool { end == [0] }

  func contains(_ key: Key) -> Bool {
    guard let end else { return key == start }
    return ByteOrder.compare(start, key) <= 0 && (isUnbounded || ByteOrder.compare(key, end) < 0)
  }
}

public struct PutRequest: Hashable, Sendable {
  public var key: Key
  public var value: Value
  /// Answer with the pair that was there before.
  public var previous: Bool
  /// Keep the value there is; an error if the key does not exist.
  public var ignoreValue: Bool
  /// Keep the lease that the key goes with; an error if the key does not exist.
  public var ignoreLease: Bool
  /// The lease that the key is to go with, instead of the one that it goes with now; 0 for none. It is an error if there is no such lease,
  /// but only if the put is in the branch of a transaction that is taken.
  public var lease: LeaseID

  public init(
    key: Key, value: Value, previous: Bool = false, ignoreValue: Bool = false, lease: Int64 = 0, ignoreLease: Bool = false
  ) {
    self.key = key
    self.value = value
    self.previous = previous
    self.ignoreValue = ignoreValue
    self.ignoreLease = ignoreLease
    self.lease = lease
  }
}

public struct DeleteRequest: Hashable, Sendable {
  public var range: KeyRange
  /// Answer with the pairs that were there before.
  public var previous: Bool

  public init(range: KeyRange, previous: Bool = false) {
    self.range = range
    self.previous = previous
  }
}

public struct RangeRequest: Hashable, Sendable {
  public enum Order: UInt8, Sendable { case none, ascending, descending }
  public enum Target: UInt8, Sendable { case key, version, createRevision, modRevision, value }

  public var range: KeyRange
  /// Most pairs to return; 0 for all.
  public var limit: Int64
  /// The state as of this revision; 0 or less for the newest.
  public var revision: Revision
  public var order: Order
  public var target: Target
  public var keysOnly: Bool
  public var countOnly: Bool
  /// Bounds on the pairs returned (not on the count); 0 for none.
  public var minimumModRevision: Revision
  public var maximumModRevision: Revision
  public var minimumCreateRevision: Revision
  public var maximumCreateRevision: Revision

  public init(
    range: KeyRange, limit: Int64 = 0, revision: Revision = 0, order: Order = .none, target: Target = .key, keysOnly: Bool = false,
    countOnly: Bool = false, minimumModRevision: Revision = 0, maximumModRevision: Revision = 0, minimumCreateRevision: Revision = 0,
    maximumCreateRevision: Revision = 0
  ) {
    self.range = range
    self.limit = limit
    self.revision = revision
    self.order = order
    self.target = target
    self.keysOnly = keysOnly
    self.countOnly = countOnly
    self.minimumModRevision = minimumModRevision
    self.maximumModRevision = maximumModRevision
    self.minimumCreateRevision = minimumCreateRevision
    self.maximumCreateRevision = maximumCreateRevision
  }
}

/// Forget what was before a revision: etcd's `Compact`.
public struct CompactionRequest: Hashable, Sendable {
  /// The oldest revision that can be read afterwards.
  public var revision: Revision

  public init(revision: Revision) { self.revision = revision }
}

/// Asks for a lease: keys that are put with it are deleted when it ends, which it does if it is not kept alive. etcd's `LeaseGrant`.
public struct LeaseGrantRequest: Hashable, Sendable {
  /// Not 0; etcd's "choose one" is for whoever proposes the request.
  public var id: LeaseID
  /// For how many seconds, from each time that it is kept alive; what is below `Limits.minimumLeaseSeconds` is raised to that, and above
  /// `Limits.maximumLeaseSeconds` is an error.
  public var timeToLive: Int64

  public init(id: LeaseID, timeToLive: Int64) {
    self.id = id
    self.timeToLive = timeToLive
  }
}

/// How large the store may become, and how much of its past is kept though nobody compacts it: the leader sees to that, see `HistoryClock`.
public struct StoreSettings: Hashable, Sendable {
  /// Most bytes that the store may have; see `KeyValueView.size`. Above 0.
  public var quota: Int64
  /// How many seconds a change is kept at least; 0 for ever. It is forgotten a sixteenth of that later at most, as long as one node leads.
  public var historyAge: Int64
  /// With more bytes than these of the past (`KeyValueView.pastSize`), about half of that is kept, whatever its age; 0 for no bound.
  public var historyBytes: Int64

  public init(quota: Int64 = Limits.quota, historyAge: Int64 = Limits.historyAge, historyBytes: Int64 = Limits.historyBytes) {
    self.quota = quota
    self.historyAge = historyAge
    self.historyBytes = historyBytes
  }
}

/// A condition on one key, or on every key of a range.
public struct Comparison: Hashable, Sendable {
  public enum Relation: UInt8, Sendable { case equal, greater, less, notEqual }
  public enum Operand: Hashable, Sendable {
    case version(Int64)
    case createRevision(Revision)
    case modRevision(Revision)
    case value(Value)
    /// The lease that the key goes with; 0 for none.
    case lease(LeaseID)
  }

  public var range: KeyRange
  public var relation: Relation
  public var operand: Operand

  public init(range: KeyRange, relation: Relation, operand: Operand) {
    self.range = range
    self.relation = relation
    self.operand = operand
  }
}

/// If every comparison holds, `success` is done, else `failure`: as one change, with one revision.
public struct TransactionRequest: Hashable, Sendable {
  public var comparisons: [Comparison]
  public var success: [Request]
  public var failure: [Request]

  public init(comparisons: [Comparison] = [], success: [Request] = [], failure: [Request] = []) {
    self.comparisons = comparisons
    self.success = success
    self.failure = failure
  }
}

/// Everything that can be asked of the store.
public enum Request: Hashable, Sendable {
  case range(RangeRequest)
  case put(PutRequest)
  case delete(DeleteRequest)
  indirect case transaction(TransactionRequest)
  /// Not in a transaction. Makes no revision.
  case compaction(CompactionRequest)
  /// Not in a transaction. Makes no revision.
  case settings(StoreSettings)
  /// Not in a transaction. Makes no revision.
  case leaseGrant(LeaseGrantRequest)
  /// Ends a lease and deletes its keys, all in one revision. Not in a transaction.
  case leaseRevoke(LeaseID)
  /// The same, proposed by the leader when a lease was not kept alive; a lease that is gone is no error. Nobody else may ask for it.
  ///
  /// `grant` is the place in the log of the command that granted the lease: when its number was granted anew meanwhile, nothing ends. 0 is
  /// not known, as older releases did not say it, and ends the lease of this number, whichever it is; so does any number a lease of
  /// which it is not known.
  case leaseExpiry(LeaseID, grant: UInt64)
  /// The numbers of all leases: etcd's `LeaseLeases`. Not in a transaction.
  case leases
  /// One lease and its keys: what the replicated state knows for etcd's `LeaseTimeToLive`. Not in a transaction.
  case lease(LeaseID)
  /// Users, roles, permissions and sessions. Not in a transaction. Makes no revision.
  indirect case access(AccessRequest)
  /// Replaces a record of the nodes' own software: for the process itself and the operator alone. Not in a transaction. Makes no revision.
  case record(RecordChange)
  /// A request from outside: done if the subject may do it when it is applied. Not in a transaction, and not on behalf of somebody again.
  /// What is not wrapped so comes from the process itself, and is trusted.
  indirect case onBehalf(of: Subject, Request)
}

public struct RangeResponse: Hashable, Sendable {
  public var pairs: [KeyValuePair]
  /// There were more pairs than `limit`.
  public var more: Bool
  /// Keys in the range, whatever the limit and the bounds.
  public var count: Int64

  public init(pairs: [KeyValuePair] = [], more: Bool = false, count: Int64 = 0) {
    self.pairs = pairs
    self.more = more
    self.count = count
  }
}

public struct LeaseResponse: Hashable, Sendable {
  /// For how many seconds it was granted. How many of them are left only the leader knows: see `LeaseQuestion`.
  public var timeToLive: Int64
  /// Those that go with it, in order.
  public var keys: [Key]

  public init(timeToLive: Int64, keys: [Key]) {
    self.timeToLive = timeToLive
    self.keys = keys
  }
}

/// What a request did. `revision` in `Response` is the store's after it.
public enum OperationResult: Hashable, Sendable {
  case range(RangeResponse)
  case put(previous: KeyValuePair?)
  case delete(count: Int64, previous: [KeyValuePair])
  indirect case transaction(succeeded: Bool, responses: [OperationResult])
  /// A compaction, or other settings, which change no key.
  case done
  /// For so many seconds.
  case leaseGranted(LeaseID, timeToLive: Int64)
  /// With so many keys.
  case leaseRevoked(keys: Int64)
  /// In ascending order.
  case leases([LeaseID])
  /// `nil` if there is no such lease.
  case lease(LeaseResponse?)
}

extension OperationResult {
  /// Whether it changed the store. In a transaction, what comes after the first change has the new revision, what comes before the old one.
  public var isChange: Bool { StoredResult(self).isChange }
}

/// A request that cannot be done. No key was changed; the same request fails again as long as the store is as it is.
public enum KeyValueError: Error, Hashable, Sendable {
  /// A key or the start of a range is empty.
  case emptyKey
  /// A put that keeps the value (`ignoreValue`) needs a key that exists.
  case keyNotFound
  /// A put that keeps the value must not bring one.
  case valueProvided
  /// A put that keeps the lease (`ignoreLease`) must not bring one.
  case leaseProvided
  /// Something else than a range, a put, a delete or another transaction stands in a transaction.
  case notInTransaction
  /// The quota is not above 0, or a bound of the history is below 0.
  case invalidSettings
  /// A put or a new lease would pass the quota, or one would have and there is not enough room since; see `KeyValueView.isOutOfSpace`.
  /// Deletes and compactions are done; what was deleted gives its room back when it is compacted.
  case noSpace
  /// A put, or a request to end a lease, names one that there is not; or a lease is to have the number 0.
  case leaseNotFound
  /// There is a lease of this number already.
  case leaseExists
  /// A lease is asked for more than `Limits.maximumLeaseSeconds`.
  case leaseTTLTooLarge
  /// There are `Limits.leases` already.
  case tooManyLeases
  /// Only the leader lets a lease expire; `Request.leaseRevoke` ends one at any time.
  case leaderOnly
  /// A transaction would change a key twice.
  case duplicateKey
  /// More than `Limits.operations` or `Limits.totalOperations`.
  case tooManyOperations
  /// The request is larger than `Limits.requestBytes`.
  case tooLarge
  /// A transaction, or a delete that answers with what it deletes, would look at more than `Limits.costItems` or `Limits.costBytes` of
  /// what the store holds now. The same in parts can be done.
  case tooCostly
  /// A record of the cluster's is not what it was expected to be.
  case recordChanged
  /// A record's name is empty or above `Limits.recordNameBytes`, or its value above `Limits.recordBytes`.
  case invalidRecord
  /// There are `Limits.records` already.
  case tooManyRecords
  /// The state as of this revision is no longer kept.
  case compacted
  /// The store has not reached this revision yet.
  case futureRevision
  /// On whose behalf the request is may not do it, or users and roles cannot be changed so.
  case access(AccessError)
  /// The command's bytes are not of this format: the node that proposed it is of another version, or faulty.
  case malformed(String)
}
