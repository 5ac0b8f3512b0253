/// What a request costs each node that applies it, and the one that answers it. Counted from the request and the store before the first
/// change, so it is the same on every node, and known before anything is done.
///
/// What counts are the pairs and bytes that must be looked at, as if each operation looked anew:
///
/// - a comparison: all pairs of its range, and with a value their values;
/// - a range: the pairs it returns, of keys alone only those; one that sorts by something else than the key or has bounds on revisions: all
///   pairs of its range. A count costs nothing: the tree has it;
/// - a range of an older revision, a count too: the keys of its range that are there now and those whose deletion is still kept, and the
///   bytes of all pairs that were in its range then;
/// - a put that answers with the pair before, or keeps its value: that pair;
/// - a delete that answers with the pairs: those. One that does not costs nothing here, since each key is deleted once only.
///
/// A range that comes after changes of its transaction may see other pairs than there were before. It counts as all that were in its range
/// and all that was put, at least as much as it can return.
///
/// A range outside a transaction is not counted: it is not part of a command, and is answered part by part, for as long as it is taken.
struct Cost: Equatable {
  private(set) var items = 0
  private(set) var bytes = 0
  /// Changes that come before, in the order of the operations.
  private var puts = 0
  private var putKeyBytes = 0
  private var putValueBytes = 0
  private var leaseBytes = 0
  private var hasDeleted = false
  /// What is wrong with the first range that cannot be read; told after what is wrong with a put, as etcd does.
  private(set) var rangeError: KeyValueError?

  /// By how much the puts enlarge the store; see `KeyValueView.size`.
  var putSize: Int { puts * (ChangeLog.itemBytes + ChangeLog.changeBytes) + putKeyBytes + putValueBytes + leaseBytes }

  init() {}

  mutating func count(_ comparison: Comparison, in tree: OrderedTree) throws(KeyValueError) {
    let extent = tree.extent(of: comparison.range)
    if case .value = comparison.operand { try add(extent.count, extent.valueBytes) } else { try add(extent.count, 0) }
  }

  /// A range of a transaction, if it can be read.
  mutating func check(_ request: RangeRequest, in view: KeyValueView) throws(KeyValueError) {
    do throws(KeyValueError) {
      try view.check(request)
    } catch {
      rangeError = rangeError ?? error
      return
    }
    try count(request, in: view)
  }

  mutating func count(_ request: RangeRequest, in view: KeyValueView) throws(KeyValueError) {
    guard !view.isPast(request) else { return try countPast(request, in: view) }
    guard !request.countOnly else { return }
    let tree = view.tree
    let seesChanges = (puts > 0 || hasDeleted) && request.revision <= 0
    let isCut = request.limit > 0 && request.keepsKeyOrder
    var extent = tree.extent(of: request.range, cut: isCut && !seesChanges ? request.part : { $0 })
    if seesChanges {
      extent.count += puts
      extent.keyBytes += putKeyBytes
      extent.valueBytes += putValueBytes
      if isCut { extent.count = min(extent.count, Int(clamping: request.limit)) }
    }
    try add(extent.count, extent.keyBytes + (request.keysOnly ? 0 : extent.valueBytes))
  }

  /// What must be looked at is known without looking; only what is within the bound is looked at to know its bytes.
  private mutating func countPast(_ request: RangeRequest, in view: KeyValueView) throws(KeyValueError) {
    let past = Past(of: request.range, in: view, before: view.boundary(of: request))
    try add(past.candidates, 0)
    guard !request.countOnly else { return }
    var bytes = 0
    past.forEach { bytes += $0.keyCount + (request.keysOnly ? 0 : $0.valueCount) }
    try add(0, bytes)
  }

  mutating func count(_ request: PutRequest, found: Item?) throws(KeyValueError) {
    if request.previous || request.ignoreValue || request.ignoreLease, let found { try add(1, found.keyCount + found.valueCount) }
    puts += 1
    putKeyBytes += request.key.count
    putValueBytes += request.ignoreValue ? found?.valueCount ?? 0 : request.value.count
    // Though the key may go with it already.
    if request.lease != 0 { leaseBytes += LeaseTable.size(ofAttached: request.key) }
  }

  mutating func count(_ request: DeleteRequest, in tree: OrderedTree) throws(KeyValueError) {
    hasDeleted = true
    guard request.previous else { return }
    let extent = tree.extent(of: request.range)
    try add(extent.count, extent.keyBytes + extent.valueBytes)
  }

  private mutating func add(_ items: Int, _ bytes: Int) throws(KeyValueError) {
    self.items += items
    self.bytes += bytes
    guard self.items <= Limits.costItems, self.bytes <= Limits.costBytes else { throw .tooCostly }
  }
}

extension OrderedTree {
  /// How much is in a range. O(log n).
  /// - Parameter cut: leaves some of the places of the range.
  fileprivate func extent(of range: KeyRange, cut: (Range<Int>) -> Range<Int> = { $0 }) -> Summary {
    guard range.end != nil else { return item(for: range.start[...]).map { Summary(of: $0) } ?? Summary() }
    let ranks = cut(ranks(of: range))
    let bytes = bytes(at: ranks)
    var extent = Summary()
    extent.count = ranks.count
    extent.keyBytes = bytes.inKeys
    extent.valueBytes = bytes.inValues
    return extent
  }
}
