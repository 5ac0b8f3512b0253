import KeyValue
import Raft
import Replica
import Testing

@testable import Simulation

/// What clients ask of the store: a kind of request that never comes is not checked.
@Suite struct KeyValueDrawerTests {
  /// What a request, as the store answered it, is an example of.
  private static func kinds(of request: Request, _ response: OperationResult, depth: Int = 0) -> [String] {
    switch (request, response) {
    case (.access, .done): return ["access"]
    case (.onBehalf(.nobody, _), _): return ["by nobody"]
    case (.onBehalf(.operator, _), _): return ["by the operator"]
    case (.onBehalf(.user, let inner), _): return ["by a user"] + kinds(of: inner, response, depth: depth)
    case (.range(let range), .range(let answer)):
      var kinds = ["\(range.order) by \(range.target)"]
      if range.keysOnly { kinds.append("keys only") }
      if range.countOnly { kinds.append("count only") }
      if range.revision > 0 { kinds.append("at a revision") }
      if range.limit > 0, !range.countOnly { kinds.append(answer.more ? "cut" : answer.count == range.limit ? "just not cut" : "not cut") }
      if !range.countOnly, answer.count > answer.pairs.count, !answer.more { kinds.append("filtered") }
      return kinds
    case (.put(let put), .put(let previous)):
      return (put.ignoreValue ? ["touch"] : []) + (put.lease == 0 ? [] : ["put with a lease"])
        + (previous != nil ? ["put with previous"] : [])
    case (.delete(let delete), .delete(let count, let previous)):
      return (delete.range.end != nil && count > 1 ? ["delete of many"] : []) + (previous.count > 1 ? ["many previous"] : [])
        + (count == 0 ? ["empty delete"] : [])
    case (.transaction(let transaction), .transaction(let succeeded, let responses)):
      let inner = zip(succeeded ? transaction.success : transaction.failure, responses).flatMap { kinds(of: $0, $1, depth: depth + 1) }
      let changesItself = responses.contains { if case .transaction = $0 { false } else { $0.isChange } }
      return inner + (depth == 2 ? ["three deep"] : []) + (depth == 0 && response.isChange && !changesItself ? ["only inner changes"] : [])
        + (transaction.comparisons.contains { $0.range.end != nil } ? ["comparison of a range \(succeeded)"] : [])
        + (responses.count > 99 ? ["long"] : []) + (response.isChange ? [] : ["no change"])
    case (.leaseGrant, .leaseGranted): return ["lease granted"]
    case (.leaseRevoke, .leaseRevoked(let keys)): return [keys == 0 ? "lease without keys revoked" : "lease with keys revoked"]
    case (.leases, .leases(let ids)): return ids.count > 1 ? ["leases"] : []
    case (.lease, .lease(let lease)): return lease.map { $0.keys.isEmpty ? [] : ["lease with keys"] } ?? ["no lease"]
    case (.compaction, .done): return ["compaction"]
    case (.settings, .done): return ["settings"]
    default: return ["an answer of another kind"]
    }
  }

  private static let expected: [String] = {
    var kinds = ["keys only", "count only", "at a revision", "cut", "just not cut", "not cut", "filtered", "touch", "put with previous"]
    kinds += ["delete of many", "many previous", "empty delete", "three deep", "only inner changes", "comparison of a range true"]
    kinds += ["comparison of a range false", "long", "no change", "compaction", "settings", "lease granted"]
    kinds += ["lease without keys revoked", "lease with keys revoked", "leases", "lease with keys", "no lease", "put with a lease"]
    for target in ["key", "version", "createRevision", "modRevision", "value"] {
      for order in ["none", "ascending", "descending"] { kinds.append("\(order) by \(target)") }
    }
    kinds += ["access", "by nobody", "by the operator", "by a user"]
    let errors = [
      "keyNotFound", "valueProvided", "leaseNotFound", "duplicateKey", "tooManyOperations", "compacted", "futureRevision", "noSpace",
      "leaseProvided", "leaseExists", "leaseTTLTooLarge",
    ]
    let denials: [AccessError] = [
      .permissionDenied, .userNameEmpty, .userNotFound, .invalidManagement, .authenticationFailed, .permissionNotGranted,
    ]
    return kinds + errors.map { "refused: \($0)" } + denials.map { "refused: \(KeyValueError.access($0))" }
  }()

  @Test func theClientsAskForEverything() throws {
    var scale = Story.Scale()
    scale.keys = 6
    var clients = KeyValueWorkload(scale, searchingForOrder: false)
    var machine = KeyValueMachine()
    var random = PseudoRandom(seed: 1)
    var seen: [String: Int] = [:]
    var refused = 0
    for number in 1...40_000 as ClosedRange<UInt64> {
      let operation = clients.operation(number, seeing: machine.view, using: &random)
      let output: KeyValueMachine.Output
      let request: Request
      switch operation.kind {
      case .command(let bytes):
        request = try Request(decoding: bytes[...])
        output = machine.apply([Command(index: number, term: 1, payload: bytes[...])])[0]
      case .read(_, let query):
        request = try Request(decoding: query[...])
        output = machine.view.answer(request)
      case .question: continue
      }
      switch output {
      case .success(let answer): for kind in Self.kinds(of: request, answer.result) { seen[kind, default: 0] += 1 }
      case .failure(let error):
        refused += 1
        seen["refused: \(error)", default: 0] += 1
      }
      #expect(operation.label.count < 2000)
    }
    for kind in Self.expected { #expect(seen[kind] ?? 0 > 2, "\(kind)") }
    // Seldom, so that something is done.
    #expect(refused < 3000)
  }

  /// A search for an order wants the keys in small groups, and comes to an end then, as a rule: the problem is NP-complete.
  @Test func mostSearchesStillComeToAnEnd() {
    var decided = 0
    for seed in 1...6 as ClosedRange<UInt64> {
      let story = Story(seed: seed, nodes: 3, lasting: .milliseconds(10_000))
      let report = Run(story, KeyValueWorkload(story.scale, searchingForOrder: true)).run()
      #expect(report.violations.isEmpty)
      decided += report.searches.decided
    }
    #expect(decided >= 4)
  }

  static let words: [(Request, String)] = [
    (
      .range(RangeRequest(range: .all, limit: 2, order: .descending, target: .version, keysOnly: true)),
      "get all by version, down, at most 2, keys only"
    ),
    (.range(RangeRequest(range: KeyRange(start: [0x61], end: [0]), countOnly: true, minimumModRevision: 3)), "count a..<, mod 3 to"),
    (
      .range(RangeRequest(range: KeyRange([0x61]), revision: 7, minimumCreateRevision: 2, maximumCreateRevision: 4)),
      "get a, at 7, create 2 to 4"
    ),
    (.put(PutRequest(key: [0x61], value: [], ignoreValue: true, lease: 5)), "touch a with lease 5"),
    (.delete(DeleteRequest(range: KeyRange(start: [0x61], end: [0x63]))), "delete a..<c"),
    (.leaseGrant(LeaseGrantRequest(id: 5, timeToLive: 9)), "grant lease 5 for 9 s"),
    (.leaseRevoke(5), "revoke lease 5"),
    (.leaseExpiry(5, grant: 3), "let lease 5 of command 3 expire"),
    (.leases, "all leases"),
    (.onBehalf(of: .nobody, .leases), "nobody: all leases"),
    (.onBehalf(of: .user("anna"), .lease(5)), "anna: lease 5"),
    (.onBehalf(of: .operator, .access(.enable)), "the operator: turn authentication on"),
    (.access(.grantPermission(Permission(.readWrite, KeyRange([0x61])), toRole: "r")), "let role r readWrite a"),
    (.lease(5), "lease 5"),
    (
      .settings(StoreSettings(quota: 9, historyAge: 8, historyBytes: 7)), "at most 9 bytes, the past for 8 s and 7 bytes"
    ),
    (
      .transaction(
        TransactionRequest(
          comparisons: [
            Comparison(range: .all, relation: .greater, operand: .version(1)),
            Comparison(range: KeyRange([0x61]), relation: .notEqual, operand: .value([0x78])),
          ],
          success: [.transaction(TransactionRequest(success: [.put(PutRequest(key: [0x61], value: [0x79]))]))],
          failure: [.delete(DeleteRequest(range: KeyRange([0x61])))])),
      "if version of all > 1 and a ≠ x: (at once: put a = y), else delete a"
    ),
  ]

  @Test(arguments: words) func everyRequestHasWords(request: Request, text: String) { #expect(KeyValueWords.text(of: request) == text) }
}
