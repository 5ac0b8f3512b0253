import KeyValue
import Raft
import Replica

/// Clients of the key-value store: registers, compare-and-set, transactions across keys, ranges, stale reads.
public struct KeyValueWorkload: Workload {
  public typealias Machine = KeyValueMachine

  /// Few, so that clients meet.
  private static let keys: UInt64 = 6

  public init() {}

  public mutating func operation(_ number: UInt64, seeing view: KeyValueView, using random: inout PseudoRandom) -> ClientOperation {
    let key = Self.key(random.below(Self.keys))
    let value = Array("v\(number)".utf8)
    switch random.below(20) {
    case 0...5: return command(.put(PutRequest(key: key, value: value, previous: random.chance(1, in: 4))))
    case 6...7: return command(.delete(DeleteRequest(range: KeyRange(key), previous: random.chance(1, in: 2))))
    case 8: return command(.delete(DeleteRequest(range: KeyRange(start: Self.key(1), end: Self.key(3)))))
    case 9...12: return command(.transaction(compareAndSet(key, value, view)))
    case 13...14: return command(.transaction(move(from: key, to: Self.key(random.below(Self.keys)), value)))
    case 15...17: return read(.linearizable, random.chance(1, in: 4) ? KeyRange.all : KeyRange(key))
    default: return read(.serializable, KeyRange(key))
    }
  }

  private static func key(_ number: UInt64) -> Key { Array("key-\(number)".utf8) }

  private func command(_ request: Request) -> ClientOperation { .command(request.encoded(), label: Self.label(request)) }

  private func read(_ consistency: Consistency, _ range: KeyRange) -> ClientOperation {
    let query = Request.range(RangeRequest(range: range)).encoded()
    let kind = consistency == .linearizable ? "get" : "get, stale,"
    return ClientOperation(.read(consistency, query: query), label: "\(kind) \(Self.label(range))")
  }

  /// Against the newest revision, so that it often succeeds.
  private func compareAndSet(_ key: Key, _ value: Value, _ view: KeyValueView) -> TransactionRequest {
    TransactionRequest(
      comparisons: [
        Comparison(range: KeyRange(key), relation: .equal, operand: .modRevision(view.get(key)?.modRevision ?? 0))
      ],
      success: [.put(PutRequest(key: key, value: value))],
      failure: [.range(RangeRequest(range: KeyRange(key)))])
  }

  /// Both keys change together, or neither.
  private func move(from source: Key, to destination: Key, _ value: Value) -> TransactionRequest {
    var success: [Request] = [.delete(DeleteRequest(range: KeyRange(source), previous: true))]
    if source != destination { success.append(.put(PutRequest(key: destination, value: value))) }
    return TransactionRequest(
      comparisons: [Comparison(range: KeyRange(source), relation: .greater, operand: .createRevision(0))], success: success,
      failure: [.put(PutRequest(key: source, value: value))])
  }

  public static func digest(of view: KeyValueView) -> UInt64 { view.digest }

  // MARK: For people

  private static func label(_ request: Request) -> String {
    switch request {
    case .range(let range): "get \(label(range.range))"
    case .put(let put): "put \(text(put.key)) = \(text(put.value))"
    case .delete(let delete): "delete \(label(delete.range))"
    case .transaction(let transaction):
      "if \(transaction.comparisons.map { label($0.range) }.joined(separator: ", ")): "
        + transaction.success.map(label).joined(separator: ", ")
    }
  }

  private static func label(_ range: KeyRange) -> String {
    range == .all ? "all" : range.end.map { "\(text(range.start))..<\(text($0))" } ?? text(range.start)
  }

  private static func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }
}

extension Story {
  /// Lives the story through with clients of the key-value store. Here, and not where it is called, so that the compiler makes one piece of
  /// code for this state machine.
  public func runKeyValue(tracing: Bool = false) -> RunReport { Run(self, KeyValueWorkload(), tracing: tracing).run() }
}
