import KeyValue

/// Requests with their answers, as what they do to values.
///
/// The cross-check takes no revision's word for when something happened. A comparison of revisions is therefore one of values: the key
/// still has the revision exactly if it still has the value that was seen with it, as long as that value is put once. Where no client saw
/// it, or where the comparison is of an order, what the answer says is believed.
struct KeyValueTranslation {
  private var names: KeyValueNames

  init(_ names: KeyValueNames) { self.names = names }

  /// What the request did; `nil` if the answer is not one to this request.
  mutating func actions(of request: Request, answered response: OperationResult) -> [KeyValueAction]? {
    switch (request, response) {
    case (.onBehalf(_, let request), let response): return actions(of: request, answered: response)
    // What was once says nothing of what is.
    case (.range(let request), .range) where request.revision > 0: return []
    case (.compaction, .done), (.settings, .done), (.access, .done): return []
    // Clients whose history is searched put no key with a lease that there may be: so what becomes of leases changes no key.
    case (.leaseGrant, .leaseGranted), (.leaseRevoke, .leaseRevoked(keys: 0)), (.leases, .leases), (.lease, .lease): return []
    case (.range(let request), .range(let response)):
      return shown(response.pairs, of: names.numbers(in: request.range), count: response.count, keysOnly: request.keysOnly)
    case (.put(let request), .put(let previous)):
      guard let key = names.number(ofKey: request.key) else { return nil }
      let before = request.previous ? [KeyValueAction.see(condition(key, previous))] : []
      return before + [request.ignoreValue ? .see(.exists(key)) : .write(key, names.number(ofValue: request.value))]
    case (.delete(let request), .delete(let count, let previous)):
      let keys = names.numbers(in: request.range)
      guard let before = shown(previous, of: keys, count: count, keysOnly: false) else { return nil }
      return before + (count > 0 ? keys.map { .write($0, 0) } : [])
    case (.transaction(let request), .transaction(let succeeded, let responses)):
      let branch = succeeded ? request.success : request.failure
      guard branch.count == responses.count else { return nil }
      var actions = outcome(of: request.comparisons, succeeded: succeeded)
      for (request, response) in zip(branch, responses) {
        guard let inner = self.actions(of: request, answered: response) else { return nil }
        actions += inner
      }
      return actions
    default: return nil
    }
  }

  /// What these pairs, out of so many that exist, show of the keys of a range.
  private mutating func shown(_ pairs: [KeyValuePair], of keys: [Int], count: Int64, keysOnly: Bool) -> [KeyValueAction]? {
    guard pairs.count <= count, count <= keys.count else { return nil }
    var actions: [KeyValueAction] = []
    var seen: Set<Int> = []
    for pair in pairs {
      guard let key = names.number(ofKey: pair.key) else { return nil }
      seen.insert(key)
      actions.append(.see(keysOnly ? .exists(key) : condition(key, pair)))
    }
    if count == pairs.count {
      actions += keys.filter { !seen.contains($0) }.map { .see(.isAbsent($0)) }
    } else if count == keys.count {
      actions += keys.filter { !seen.contains($0) }.map { .see(.exists($0)) }
    } else {
      actions.append(.count(keys, Int(count)))
    }
    return actions
  }

  private mutating func condition(_ key: Int, _ pair: KeyValuePair?) -> KeyCondition {
    KeyCondition(key: key, test: .equals(pair.map { names.number(ofValue: $0.value) } ?? 0))
  }

  // MARK: Comparisons

  private mutating func outcome(of comparisons: [Comparison], succeeded: Bool) -> [KeyValueAction] {
    let (conditions, hasOpaque) = translate(comparisons)
    if succeeded { return conditions.isEmpty ? [] : [.require(conditions, hold: true)] }
    if hasOpaque { return [] }
    if conditions.count == 1 { return [.require([conditions[0].negated], hold: true)] }
    return [.require(conditions, hold: false)]
  }

  /// `hasOpaque`: some of them say nothing of values.
  private mutating func translate(_ comparisons: [Comparison]) -> (conditions: [KeyCondition], hasOpaque: Bool) {
    var all: [KeyCondition] = []
    var hasOpaque = false
    for comparison in comparisons {
      if let conditions = translate(comparison) { all += conditions } else { hasOpaque = true }
    }
    return (all, hasOpaque)
  }

  private mutating func translate(_ comparison: Comparison) -> [KeyCondition]? {
    guard comparison.range.end == nil, let key = names.number(ofKey: comparison.range.start) else { return nil }
    switch (comparison.operand, comparison.relation) {
    case (.value(let value), .equal): return [KeyCondition(key: key, test: .equals(names.number(ofValue: value)))]
    case (.value(let value), .notEqual): return [.exists(key), KeyCondition(key: key, test: .differs(names.number(ofValue: value)))]
    case (.version(0), .equal), (.createRevision(0), .equal), (.modRevision(0), .equal): return [.isAbsent(key)]
    case (.version(0), .notEqual), (.createRevision(0), .notEqual), (.modRevision(0), .notEqual): return [.exists(key)]
    case (.version(0), .greater), (.createRevision(0), .greater), (.modRevision(0), .greater): return [.exists(key)]
    case (.modRevision(let revision), .equal):
      return names.value(of: key, at: revision).map { [KeyCondition(key: key, test: .equals($0))] }
    case (.modRevision(let revision), .notEqual):
      return names.value(of: key, at: revision).map { [KeyCondition(key: key, test: .differs($0))] }
    default: return nil
    }
  }

  // MARK: Without an answer

  /// What the request may have done: one list for each way in which comparisons that say nothing of values may have ended, as if each
  /// were a request of its own. `nil` if there are more ways than two, which takes transactions inside each other.
  mutating func actionsUnanswered(_ request: Request) -> [[KeyValueAction]]? {
    switch opaqueTransactions(in: request) {
    case 0: [unanswered(request, opaqueHold: true)]
    case 1: [unanswered(request, opaqueHold: true), unanswered(request, opaqueHold: false)]
    default: nil
    }
  }

  private mutating func opaqueTransactions(in request: Request) -> Int {
    guard case .transaction(let transaction) = request else { return 0 }
    var count = translate(transaction.comparisons).hasOpaque ? 1 : 0
    for inner in transaction.success + transaction.failure { count += opaqueTransactions(in: inner) }
    return count
  }

  private mutating func unanswered(_ request: Request, opaqueHold: Bool) -> [KeyValueAction] {
    switch request {
    case .range, .compaction, .settings, .leaseGrant, .leaseRevoke, .leaseExpiry, .leases, .lease, .access, .record: return []
    case .onBehalf(_, let request): return unanswered(request, opaqueHold: opaqueHold)
    case .put(let put):
      guard !put.ignoreValue, let key = names.number(ofKey: put.key) else { return [] }
      return [.write(key, names.number(ofValue: put.value))]
    case .delete(let delete): return names.numbers(in: delete.range).map { .write($0, 0) }
    case .transaction(let transaction):
      let (conditions, hasOpaque) = translate(transaction.comparisons)
      let success = transaction.success.flatMap { unanswered($0, opaqueHold: opaqueHold) }
      let failure = transaction.failure.flatMap { unanswered($0, opaqueHold: opaqueHold) }
      if hasOpaque, !opaqueHold { return failure }
      return conditions.isEmpty ? success : [.choose(conditions, success: success, failure: failure)]
    }
  }
}
