import KeyValue

/// What clients of the key-value store ask and are told, in a few words for people.
extension Workload where Machine == KeyValueMachine {
  public static func label(of output: KeyValueMachine.Output) -> String {
    switch output {
    case .success(let answer): KeyValueWords.text(of: answer)
    case .failure(let error): "refused: \(error)"
    }
  }

  /// What was looked for; the revision alone if that is unknown.
  public static func label(of view: KeyValueView, query: [UInt8]) -> String {
    guard let request = try? Request(decoding: query[...]) else { return "revision \(view.revision)" }
    return label(of: view.answer(request))
  }
}

enum KeyValueWords {
  /// `get key-1`, `put key-1 = v7`, `delete key-1`, `if key-1 is of revision 3: put key-1 = v7, else get key-1`.
  static func text(of request: Request) -> String {
    switch request {
    case .range(let range): text(of: range)
    case .put(let put): text(of: put)
    case .delete(let delete): "delete \(text(of: delete.range))"
    case .transaction(let transaction): text(of: transaction)
    case .compaction(let compaction): "compact at \(compaction.revision)"
    case .settings(let settings):
      "at most \(settings.quota) bytes, the past for \(settings.historyAge) s and \(settings.historyBytes) bytes"
    case .leaseGrant(let grant): "grant lease \(grant.id) for \(grant.timeToLive) s"
    case .leaseRevoke(let id): "revoke lease \(id)"
    case .leaseExpiry(let id, let grant): "let lease \(id) of command \(grant) expire"
    case .leases: "all leases"
    case .lease(let id): "lease \(id)"
    case .access(let request): text(of: request)
    case .record(let change): "record \(change.name)"
    case .onBehalf(.nobody, let request): "nobody: \(text(of: request))"
    case .onBehalf(.user(let name), let request): "\(name): \(text(of: request))"
    case .onBehalf(.operator, let request): "the operator: \(text(of: request))"
    }
  }

  private static func text(of request: AccessRequest) -> String {
    switch request {
    case .enable: "turn authentication on"
    case .disable: "turn authentication off"
    case .addUser(let name, let verifier): "add user \(name)\(verifier == nil ? " without a password" : "")"
    case .deleteUser(let name): "delete user \(name)"
    case .changePassword(let name, _): "change the password of \(name)"
    case .grantRole(let role, let user): "grant role \(role) to \(user)"
    case .revokeRole(let role, let user): "revoke role \(role) from \(user)"
    case .addRole(let name): "add role \(name)"
    case .deleteRole(let name): "delete role \(name)"
    case .grantPermission(let permission, let role): "let role \(role) \(permission.kind) \(text(of: permission.range))"
    case .revokePermission(let range, let role): "revoke \(text(of: range)) from role \(role)"
    case .issueToken(let grant): "issue a token of \(grant.user)"
    case .revokeToken: "revoke a token"
    }
  }

  static func text(of range: KeyRange) -> String {
    range == .all ? "all" : range.end.map { "\(text(of: range.start))..<\($0 == [0] ? "" : text(of: $0))" } ?? text(of: range.start)
  }

  private static func text(of put: PutRequest) -> String {
    let lease = put.ignoreLease ? " with its lease" : put.lease == 0 ? "" : " with lease \(put.lease)"
    return put.ignoreValue ? "touch \(text(of: put.key))\(lease)" : "put \(text(of: put.key)) = \(text(of: put.value))\(lease)"
  }

  /// `get key-1..<key-3 by version, down, at most 2, mod 4 to 9, keys only`.
  private static func text(of range: RangeRequest) -> String {
    var parts: [String] = []
    parts.append("\(range.countOnly ? "count" : "get") \(text(of: range.range))" + (range.target == .key ? "" : " by \(range.target)"))
    if range.order == .descending { parts.append("down") }
    if range.limit > 0 { parts.append("at most \(range.limit)") }
    if range.revision > 0 { parts.append("at \(range.revision)") }
    parts += bounds("mod", range.minimumModRevision, range.maximumModRevision)
    parts += bounds("create", range.minimumCreateRevision, range.maximumCreateRevision)
    if range.keysOnly { parts.append("keys only") }
    return parts.joined(separator: ", ")
  }

  private static func bounds(_ what: String, _ least: Revision, _ most: Revision) -> [String] {
    least == 0 && most == 0 ? [] : ["\(what) \(least == 0 ? "" : "\(least) ")to\(most == 0 ? "" : " \(most)")"]
  }

  private static func text(of transaction: TransactionRequest) -> String {
    let (success, failure) = (text(of: transaction.success), text(of: transaction.failure))
    let condition = transaction.comparisons.map(text).joined(separator: " and ")
    return (condition.isEmpty ? "at once: " : "if \(condition): ") + success + (failure.isEmpty ? "" : ", else \(failure)")
  }

  /// A transaction among them stands in parentheses.
  private static func text(of operations: [Request]) -> String {
    let shown = 4
    var parts = operations.prefix(shown).map { operation in
      if case .transaction = operation { "(\(text(of: operation)))" } else { text(of: operation) }
    }
    if operations.count > shown { parts.append("\(operations.count - shown) more") }
    return parts.joined(separator: ", ")
  }

  private static func text(of comparison: Comparison) -> String {
    let relation =
      switch comparison.relation {
      case .equal: "="
      case .notEqual: "≠"
      case .greater: ">"
      case .less: "<"
      }
    let keys = text(of: comparison.range)
    return switch comparison.operand {
    case .version(let number): "version of \(keys) \(relation) \(number)"
    case .createRevision(let number): "create of \(keys) \(relation) \(number)"
    case .modRevision(let number): "mod of \(keys) \(relation) \(number)"
    case .lease(let number): "lease of \(keys) \(relation) \(number)"
    case .value(let value): "\(keys) \(relation) \(text(of: value))"
    }
  }

  /// `revision 8` after a change; `3 pairs at 8`, `nothing at 8` without one; `yes, revision 8` or `no, key-1 = v7 at 8` of a comparison.
  static func text(of answer: Response) -> String { text(of: answer.result, at: answer.revision) }

  static func text(of answer: NaiveStore.Response) -> String { text(of: answer.result, at: answer.revision) }

  private static func text(of response: OperationResult, at revision: Revision) -> String {
    let words = text(of: response)
    guard response.isChange else { return "\(words) at \(revision)" }
    return (words.isEmpty ? "" : "\(words), ") + "revision \(revision)"
  }

  static func text(of response: OperationResult) -> String {
    switch response {
    case .range(let range): range.pairs.count == 1 ? range.pairs.map(text)[0] : range.count == 0 ? "nothing" : "\(range.count) pairs"
    case .put(let previous): previous.map { "was \(text(of: $0.value))" } ?? ""
    case .delete(let count, let previous):
      previous.isEmpty ? "\(count) deleted" : "was \(previous.map { text(of: $0.value) }.joined(separator: ", "))"
    case .transaction(let succeeded, let responses):
      (responses.count > 2 ? ["\(responses.count) answers"] : responses.map(text).filter { !$0.isEmpty })
        .reduce(succeeded ? "yes" : "no") { "\($0), \($1)" }
    case .done: "done"
    case .leaseGranted(let id, let timeToLive): "lease \(id) for \(timeToLive) s"
    case .leaseRevoked(let keys): "revoked with \(keys) keys"
    case .leases(let ids): "\(ids.count) leases"
    case .lease(let lease): lease.map { "\($0.timeToLive) s, \($0.keys.count) keys" } ?? "no such lease"
    }
  }

  private static func text(of pair: KeyValuePair) -> String { "\(text(of: pair.key)) = \(text(of: pair.value))" }

  /// With all that the store knows of it.
  static func wholeText(of pair: KeyValuePair) -> String {
    "\(text(of: pair)) (create \(pair.createRevision), mod \(pair.modRevision), version \(pair.version))"
  }

  private static func text(of bytes: [UInt8]) -> String {
    String(decoding: bytes.prefix(24), as: UTF8.self) + (bytes.count > 24 ? "… (\(bytes.count) bytes)" : "")
  }
}
