/// Bounds of a request. Those of etcd where it has one, so that what works there works here.
public enum Limits {
  /// Bytes of an encoded request. A pair therefore always fits into one block of a snapshot.
  public static let requestBytes = 3 << 19

  /// Operations of a transaction: the longest of its three lists, added to that of each transaction around it.
  public static let operations = 128

  /// Transactions inside each other. Deeper ones exceed `operations` anyway: each level around another has at least one operation.
  public static let nesting = operations + 1

  /// Operations and comparisons of a request in total, on all levels and in both branches; etcd leaves this open. It keeps the time that
  /// the check for keys changed twice can take to milliseconds.
  public static let totalOperations = 4096

  /// Pairs that one transaction, or one delete that answers with what it deletes, may look at; etcd leaves this open, and a small request
  /// can ask for any number. `Cost` says what counts. Some ten milliseconds of work for each node.
  public static let costItems = 100_000

  /// Bytes of keys and values that one such request may look at.
  public static let costBytes = 32 << 20

  /// Most bytes of a store that was told nothing else, counted as `KeyValueView.size` counts them. As etcd's `--quota-backend-bytes`.
  public static let quota: Int64 = 2 << 30

  /// Most seconds that a change is remembered of a store that was told nothing else, and most bytes of its past; see `StoreSettings`.
  public static let historyAge: Int64 = 3600
  public static let historyBytes: Int64 = 128 << 20

  /// Seconds that a lease is granted for at least: a shorter time is raised. etcd's least at its default election timeout.
  public static let minimumLeaseSeconds: Int64 = 2

  /// Seconds that a lease can be granted for at most. As etcd's `MaxLeaseTTL`.
  public static let maximumLeaseSeconds: Int64 = 9_000_000_000

  /// Leases of a store; etcd leaves this open. Some 200 MB.
  public static let leases = 1_000_000

  /// Changes that each command forgets of those that a compaction left: some microseconds of work, whatever was compacted.
  public static let forgottenChanges = ChangeLog.chunkChanges

  /// Records of the nodes' own software, and bytes of the name and the value of one.
  public static let records = 4096
  public static let recordNameBytes = 256
  public static let recordBytes = 16 << 10

  /// Watchers of one node: some 250 bytes each, and what they are told while it is on its way.
  public static let watchers = 100_000
}

/// Bounds of `Access`. At each of them what would pass it is refused (`AccessError`), but for tokens.
extension Limits {
  /// UTF-8 bytes of the name of a user or a role.
  public static let accessNameBytes = 256

  /// Bytes of what a password is checked against.
  public static let verifierBytes = 1024

  public static let users = 10_000
  public static let roles = 1000
  public static let rolesOfUser = 64
  public static let permissionsOfRole = 1000

  /// Permissions of all roles together.
  public static let permissions = 10_000

  /// Permissions of all roles of each user, summed up: what follows from them is kept ready. Some 20 MB, and some tenths of a second of
  /// work when a role changes, if no two users had the same roles.
  public static let permissionsInForce = 200_000

  /// Bytes of the two bounds of a permission's range.
  public static let permissionBytes = 4096

  /// Bytes of a token's digest: those of SHA-256.
  public static let tokenDigestBytes = 32

  /// Sessions that there may be at a time, and those of one user: with one more the oldest goes, and its user logs in again.
  public static let tokens = 10_000
  public static let tokensOfUser = 1000

  /// Seconds that a session lasts.
  public static let tokenSeconds: Int64 = 12 * 3600
}
