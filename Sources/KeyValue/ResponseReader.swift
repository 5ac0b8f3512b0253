/// Reads an answer from its beginning to its end in small parts, in the order of the fields of etcd's messages: to turn it into
/// text as fast as that is taken.
package struct ResponseReader: Sendable {
  package enum Operation: Sendable { case range, put, delete, transaction }

  package enum Part: Sendable {
    /// A pair of a range, or one that a delete took away.
    case pair(StoredPair)
    /// After the pairs of a range.
    case rangeEnd(more: Bool, count: Int64)
    /// A put, and what was there before if that was asked for.
    case put(previous: StoredPair?)
    /// A delete; if it was asked for, the pairs follow.
    case deleted(Int64)
    /// After the pairs of a delete; not if there are none.
    case deleteEnd
    /// A transaction, whose operations follow.
    case transaction(succeeded: Bool, operations: Int)
    case transactionEnd(operations: Int)
    /// The next operation of a transaction, and the store's revision after it: the old one until the first change.
    case operation(Operation, revision: Revision)
    case operationEnd
    case leaseGranted(LeaseID, timeToLive: Int64)
    case leaseRevoked(keys: Int64)
    /// All leases; so many numbers follow.
    case leases(count: Int)
    case leaseID(LeaseID)
    /// One lease, `nil` if it is not there; so many keys follow.
    case lease(timeToLive: Int64?, keys: Int)
    case leaseKey(Key)
    /// After the numbers of leases, or the keys of one. Not if there are none.
    case leasesEnd
  }

  package enum Step: Sendable {
    case part(Part)
    /// The work that was allowed is done, and there is more.
    case pause
    case end
  }

  private enum Task: Sendable {
    case response(StoredResult)
    case pairs(of: Operation)
    case operations([StoredResult], next: Int)
    case operationEnd
    case leases(OrderedTree.Items)
    case leaseKeys(OrderedTree.Items)
  }

  /// What is to be read yet, the next at the end.
  private var tasks: [Task]
  /// Of the range that is being read. Beside the tasks, so that it changes in place.
  private var pairs: PairReader?
  private var keysOnly = false
  private let revision: Revision
  private let isChange: Bool
  private var hasChanged = false

  package init(_ answer: Response) {
    tasks = [.response(answer.stored)]
    revision = answer.revision
    isChange = answer.isChange
  }

  /// The next part; takes what it cost from `work`, whose unit is about the time to look at a pair.
  package mutating func next(_ work: inout Int) -> Step {
    while true {
      if let step = nextPair(&work) { return step }
      guard let task = tasks.popLast() else { return .end }
      switch task {
      case .response(.range(let range)):
        begin(range, of: .range)
      case .response(.put(let previous)):
        return .part(.put(previous: previous.map { StoredPair(item: $0, keysOnly: false) }))
      case .response(.delete(let count, let previous)):
        if let previous { begin(previous, of: .delete) }
        return .part(.deleted(count))
      case .response(.transaction(let succeeded, let responses)):
        tasks.append(.operations(responses, next: 0))
        return .part(.transaction(succeeded: succeeded, operations: responses.count))
      case .operations(let responses, let next):
        guard next < responses.count else { return .part(.transactionEnd(operations: responses.count)) }
        tasks += [.operations(responses, next: next + 1), .operationEnd, .response(responses[next])]
        return .part(begin(responses[next]))
      case .response(.done):
        continue
      case .response(.leaseRevoked(let keys)):
        return .part(.leaseRevoked(keys: keys))
      case .response(.leaseGranted(let id, let timeToLive)):
        return .part(.leaseGranted(id, timeToLive: timeToLive))
      case .response(.leases(let table)):
        if table.count > 0 { tasks.append(.leases(table.granted.items(at: 0..<table.count))) }
        return .part(.leases(count: table.count))
      case .response(.lease(let id, let table)):
        let keys = table.keys(of: id)
        if keys.underestimatedCount > 0 { tasks.append(.leaseKeys(keys)) }
        return .part(.lease(timeToLive: table.timeToLive(of: id), keys: keys.underestimatedCount))
      case .leases, .leaseKeys:
        return nextOfLeases(task, &work)
      case .operationEnd:
        return .part(.operationEnd)
      case .pairs:
        // Taken by `nextPair`, together with its reader.
        continue
      }
    }
  }

  private mutating func nextPair(_ work: inout Int) -> Step? {
    guard case .pairs(let operation)? = tasks.last, let step = pairs?.next(&work) else { return nil }
    switch step {
    case .pair(let item): return .part(.pair(StoredPair(item: item, keysOnly: keysOnly)))
    case .pause: return .pause
    case .end(let more, let count):
      tasks.removeLast()
      pairs = nil
      return .part(operation == .range ? .rangeEnd(more: more, count: Int64(count)) : .deleteEnd)
    }
  }

  private mutating func nextOfLeases(_ task: Task, _ work: inout Int) -> Step {
    guard work > 0 else {
      tasks.append(task)
      return .pause
    }
    work -= 1
    switch task {
    case .leases(var items):
      guard let item = items.next() else { return .part(.leasesEnd) }
      tasks.append(.leases(items))
      return .part(.leaseID(LeaseTable.id(of: item)))
    case .leaseKeys(var items):
      guard let item = items.next() else { return .part(.leasesEnd) }
      tasks.append(.leaseKeys(items))
      return .part(.leaseKey(LeaseTable.key(of: item)))
    default: return .end
    }
  }

  private mutating func begin(_ range: StoredRange, of operation: Operation) {
    tasks.append(.pairs(of: operation))
    pairs = PairReader(range)
    keysOnly = range.request.keysOnly
  }

  private mutating func begin(_ response: StoredResult) -> Part {
    let operation: Operation =
      switch response {
      // Nothing of the other kinds stands in a transaction.
      case .range, .done, .leaseGranted, .leaseRevoked, .leases, .lease: .range
      case .put: .put
      case .delete: .delete
      case .transaction: .transaction
      }
    // A transaction's operations have their own.
    if operation != .transaction, response.isChange { hasChanged = true }
    return .operation(operation, revision: isChange && !hasChanged ? revision - 1 : revision)
  }
}

/// A pair where the store has it.
package struct StoredPair: Sendable {
  let item: Item
  /// Its value was not asked for.
  package let keysOnly: Bool

  package var createRevision: Revision { item.createRevision }
  package var modRevision: Revision { item.modRevision }
  package var version: Int64 { item.version }
  package var lease: Int64 { item.lease }

  package var keyCount: Int { item.keyCount }
  package var valueCount: Int { keysOnly ? 0 : item.valueCount }

  package func withKey<R>(_ body: (UnsafeRawBufferPointer) -> R) -> R { item.withKey(body) }
  package func withValue<R>(_ body: (UnsafeRawBufferPointer) -> R) -> R { item.withValue(body) }
}

extension Response {
  /// Most bytes that reading it may hold at a time, besides what is taken: to put pairs into another order than that of the store.
  package var workingBytes: Int { stored.workingBytes }
}

extension StoredResult {
  fileprivate var workingBytes: Int {
    switch self {
    case .range(let range): range.workingBytes
    case .put, .delete, .done, .leaseGranted, .leaseRevoked, .leases, .lease: 0
    case .transaction(_, let responses): responses.reduce(0) { max($0, $1.workingBytes) }
    }
  }
}

extension StoredRange {
  fileprivate var workingBytes: Int {
    guard request.target != .key else { return 0 }
    guard NewestFirst.serves(self) else { return Ranking.capacity(of: self) * Ranking.placeBytes }
    return Int(request.limit) * OrderedTree.Node.capacity * NewestFirst.placeBytes
  }
}

extension Request {
  /// Whether its answer may hold pairs, or all leases or keys of one, and so be long.
  package var mayReturnPairs: Bool {
    switch self {
    case .range, .leases, .lease: true
    case .put(let request): request.previous
    case .delete(let request): request.previous
    case .compaction, .settings, .leaseGrant, .leaseRevoke, .leaseExpiry, .access, .record: false
    case .onBehalf(_, let request): request.mayReturnPairs
    case .transaction(let request): request.success.contains(where: \.mayReturnPairs) || request.failure.contains(where: \.mayReturnPairs)
    }
  }
}
