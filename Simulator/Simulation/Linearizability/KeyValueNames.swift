import KeyValue

/// The keys and values of a history as numbers, and which value each revision carried.
struct KeyValueNames {
  /// A value that no answer and no comparison names: all of those look the same to everybody.
  static let unseen: ValueNumber = 1

  /// Ascending; a key's number is its place.
  private(set) var keys: [Key] = []
  private var keyNumbers: [Key: Int] = [:]
  private var valueNumbers: [WholeValue: ValueNumber] = [:]
  /// What clients saw at a key's revision; `nil` if it was not always the same.
  private var carried: [KeyRevision: ValueNumber?] = [:]
  private var revisions: [KeyValueModel.Fact: Revision] = [:]
  /// How many times a value is put at a key.
  private var writers: [KeyValueModel.Fact: Int] = [:]
  /// Keys that may get a new revision and keep their value.
  private var touched: Set<Int> = []

  /// A value that is hashed as a whole: an array of bytes hashes them one by one, which took a twentieth of a swarm's time.
  private struct WholeValue: Hashable {
    let bytes: Value

    func hash(into hasher: inout Hasher) { bytes.withUnsafeBytes { hasher.combine(bytes: $0) } }
  }

  private struct KeyRevision: Hashable {
    let key: Int
    let revision: Revision
  }

  init(_ records: [KeyValueHistory.Record]) {
    var found: Set<Key> = []
    for record in records {
      record.request.forEachKey { found.insert($0) }
      record.answer?.result.forEachPair { found.insert($0.key) }
    }
    keys = found.sorted { $0.lexicographicallyPrecedes($1) }
    for (number, key) in keys.enumerated() { keyNumbers[key] = number }
    for record in records {
      countWriters(record.request)
      if let answer = record.answer { learn(record.request, answer.result, answer.revision) }
    }
  }

  func number(ofKey key: Key) -> Int? { keyNumbers[key] }

  /// Of the keys that the history names.
  func numbers(in range: KeyRange) -> [Int] {
    guard let end = range.end else { return keyNumbers[range.start].map { [$0] } ?? [] }
    let first = place(of: range.start)
    let last = end == [0] ? keys.count : place(of: end)
    return Array(first..<max(first, last))
  }

  private func place(of key: Key) -> Int {
    var (low, high) = (0, keys.count)
    while low < high {
      let middle = (low + high) / 2
      if keys[middle].lexicographicallyPrecedes(key) { low = middle + 1 } else { high = middle }
    }
    return low
  }

  mutating func number(ofValue value: Value) -> ValueNumber {
    if let number = valueNumbers[WholeValue(bytes: value)] { return number }
    let number = ValueNumber(valueNumbers.count) + Self.unseen + 1
    valueNumbers[WholeValue(bytes: value)] = number
    return number
  }

  /// The value that the key had at this revision and at no other; `nil` if no client could know.
  func value(of key: Int, at revision: Revision) -> ValueNumber? {
    guard !touched.contains(key), let value = carried[KeyRevision(key: key, revision: revision)] ?? nil else { return nil }
    return writers[KeyValueModel.Fact(key: key, value: value), default: 0] <= 1 ? value : nil
  }

  /// The revision at which some client saw the value, if one did.
  func revision(of fact: KeyValueModel.Fact) -> Revision? { revisions[fact] }

  private mutating func countWriters(_ request: Request) {
    switch request {
    case .range, .delete, .compaction, .settings, .leaseGrant, .leaseRevoke, .leaseExpiry, .leases, .lease, .access, .record: break
    case .onBehalf(_, let request): countWriters(request)
    case .put(let put):
      guard let key = keyNumbers[put.key] else { return }
      if put.ignoreValue {
        touched.insert(key)
      } else {
        writers[KeyValueModel.Fact(key: key, value: number(ofValue: put.value)), default: 0] += 1
      }
    case .transaction(let transaction): for inner in transaction.success + transaction.failure { countWriters(inner) }
    }
  }

  private mutating func learn(_ request: Request, _ response: OperationResult, _ revision: Revision) {
    switch (request, response) {
    case (.onBehalf(_, let request), let response): learn(request, response, revision)
    case (.range(let range), .range(let response)) where !range.keysOnly: for pair in response.pairs { learn(pair) }
    case (.put(let put), .put(let previous)):
      if let previous { learn(previous) }
      if !put.ignoreValue { learn(put.key, put.value, revision) }
    case (.delete, .delete(_, let previous)): for pair in previous { learn(pair) }
    case (.transaction(let transaction), .transaction(let succeeded, let responses)):
      for (request, response) in zip(succeeded ? transaction.success : transaction.failure, responses) {
        learn(request, response, revision)
      }
    default: break
    }
  }

  private mutating func learn(_ pair: KeyValuePair) { learn(pair.key, pair.value, pair.modRevision) }

  private mutating func learn(_ key: Key, _ value: Value, _ revision: Revision) {
    guard let key = keyNumbers[key] else { return }
    let value = number(ofValue: value)
    let place = KeyRevision(key: key, revision: revision)
    if let other = carried[place], other != value { carried[place] = .some(nil) } else { carried[place] = value }
    revisions[KeyValueModel.Fact(key: key, value: value)] = revision
  }
}

extension Request {
  /// The keys that it names one by one.
  fileprivate func forEachKey(_ body: (Key) -> Void) {
    switch self {
    case .range(let request): if request.range.end == nil { body(request.range.start) }
    case .put(let request): body(request.key)
    case .delete(let request): if request.range.end == nil { body(request.range.start) }
    case .transaction(let request):
      for comparison in request.comparisons where comparison.range.end == nil { body(comparison.range.start) }
      for inner in request.success + request.failure { inner.forEachKey(body) }
    case .compaction, .settings, .leaseGrant, .leaseRevoke, .leaseExpiry, .leases, .lease, .access, .record: break
    case .onBehalf(_, let request): request.forEachKey(body)
    }
  }
}

extension OperationResult {
  fileprivate func forEachPair(_ body: (KeyValuePair) -> Void) {
    switch self {
    case .range(let response): response.pairs.forEach(body)
    case .put(let previous): if let previous { body(previous) }
    case .delete(_, let previous): previous.forEach(body)
    case .transaction(_, let responses): for response in responses { response.forEachPair(body) }
    case .done, .leaseGranted, .leaseRevoked, .leases, .lease: break
    }
  }
}
