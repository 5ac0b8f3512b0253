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
}
