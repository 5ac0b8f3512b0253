import KeyValue
import Replica

// What clients send, as etcd's `rpc.proto` has it. A field that is not named here is ignored, one that is left out has its default.

struct RangeMessage: Decodable {
  var key: WireBytes?
  var rangeEnd: WireBytes?
  var limit: WireInteger<Int64>?
  var revision: WireInteger<Int64>?
  var sortOrder: WireChoice<RangeRequest.Order>?
  var sortTarget: WireChoice<RangeRequest.Target>?
  var serializable: Bool?
  var keysOnly: Bool?
  var countOnly: Bool?
  var minModRevision: WireInteger<Int64>?
  var maxModRevision: WireInteger<Int64>?
  var minCreateRevision: WireInteger<Int64>?
  var maxCreateRevision: WireInteger<Int64>?

  var consistency: Consistency { serializable == true ? .serializable : .linearizable }

  func request() throws(APIError) -> RangeRequest {
    RangeRequest(
      range: KeyRange(key, rangeEnd), limit: limit?.value ?? 0, revision: revision?.value ?? 0,
      order: try sortOrder.value(or: .none, else: .invalidSortOption), target: try sortTarget.value(or: .key, else: .invalidSortOption),
      keysOnly: keysOnly ?? false, countOnly: countOnly ?? false, minimumModRevision: minModRevision?.value ?? 0,
      maximumModRevision: maxModRevision?.value ?? 0, minimumCreateRevision: minCreateRevision?.value ?? 0,
      maximumCreateRevision: maxCreateRevision?.value ?? 0)
  }
}

struct PutMessage: Decodable {
  var key: WireBytes?
  var value: WireBytes?
  var lease: WireInteger<Int64>?
  var prevKv: Bool?
  var ignoreValue: Bool?
  var ignoreLease: Bool?

  func request() throws(APIError) -> PutRequest {
    guard lease.map({ $0.value == 0 }) ?? true else { throw APIError.leaseNotFound }
    guard ignoreLease != true else { throw APIError(.unimplemented, "coracle: leases are not served, so none can be kept") }
    return PutRequest(key: key?.bytes ?? [], value: value?.bytes ?? [], previous: prevKv ?? false, ignoreValue: ignoreValue ?? false)
  }
}

struct DeleteRangeMessage: Decodable {
  var key: WireBytes?
  var rangeEnd: WireBytes?
  var prevKv: Bool?

  func request() -> DeleteRequest { DeleteRequest(range: KeyRange(key, rangeEnd), previous: prevKv ?? false) }
}

struct TransactionMessage: Decodable {
  var compare: [CompareMessage]?
  var success: [OperationMessage]?
  var failure: [OperationMessage]?

  /// A transaction whose operations are all reads that may be stale may itself be answered locally. (etcd does so even with comparisons.)
  var consistency: Consistency {
    let operations = (success ?? []) + (failure ?? [])
    return (compare ?? []).isEmpty && operations.allSatisfy { $0.requestRange?.serializable == true } ? .serializable : .linearizable
  }

  func request() throws(APIError) -> TransactionRequest {
    TransactionRequest(
      comparisons: try (compare ?? []).map { message throws(APIError) in try message.comparison() },
      success: try (success ?? []).map { message throws(APIError) in try message.request() },
      failure: try (failure ?? []).map { message throws(APIError) in try message.request() })
  }
}

struct OperationMessage: Decodable {
  var requestRange: RangeMessage?
  var requestPut: PutMessage?
  var requestDeleteRange: DeleteRangeMessage?
  var requestTxn: TransactionMessage?

  func request() throws(APIError) -> Request {
    switch (requestRange, requestPut, requestDeleteRange, requestTxn) {
    case (let message?, nil, nil, nil): .range(try message.request())
    case (nil, let message?, nil, nil): .put(try message.request())
    case (nil, nil, let message?, nil): .delete(message.request())
    case (nil, nil, nil, let message?): .transaction(try message.request())
    // etcd's answer to an operation that is none.
    case (nil, nil, nil, nil): throw APIError(.keyNotFound)
    default: throw APIError(.invalidArgument, "an operation must be one of request_range, request_put, request_delete_range, request_txn")
    }
  }
}

struct CompareMessage: Decodable {
  enum Target { case version, createRevision, modRevision, value, lease }

  var result: WireChoice<Comparison.Relation>?
  var target: WireChoice<Target>?
  var key: WireBytes?
  var rangeEnd: WireBytes?
  var version: WireInteger<Int64>?
  var createRevision: WireInteger<Int64>?
  var modRevision: WireInteger<Int64>?
  var value: WireBytes?

  func comparison() throws(APIError) -> Comparison {
    let unknown = APIError(.invalidArgument, "unknown result or target of a comparison")
    let relation = try result.value(or: .equal, else: unknown)
    let operand: Comparison.Operand =
      switch try target.value(or: .version, else: unknown) {
      case .version: .version(version?.value ?? 0)
      case .createRevision: .createRevision(createRevision?.value ?? 0)
      case .modRevision: .modRevision(modRevision?.value ?? 0)
      case .value: .value(value?.bytes ?? [])
      case .lease: throw APIError(.unimplemented, "coracle: leases are not served, so none can be compared")
      }
    return Comparison(range: KeyRange(key, rangeEnd), relation: relation, operand: operand)
  }
}

extension KeyRange {
  /// An empty end is none.
  fileprivate init(_ key: WireBytes?, _ end: WireBytes?) {
    self.init(start: key?.bytes ?? [], end: end.flatMap { $0.bytes.isEmpty ? nil : $0.bytes })
  }
}

extension Optional {
  fileprivate func value<Value>(or normal: Value, else error: APIError) throws(APIError) -> Value where Wrapped == WireChoice<Value> {
    guard let self else { return normal }
    guard let value = self.value else { throw error }
    return value
  }
}

extension RangeRequest.Order: WireNamed {
  static let wireNames: [(name: String, value: Self)] = [("NONE", .none), ("ASCEND", .ascending), ("DESCEND", .descending)]
}

extension RangeRequest.Target: WireNamed {
  static let wireNames: [(name: String, value: Self)] = [
    ("KEY", .key), ("VERSION", .version), ("CREATE", .createRevision), ("MOD", .modRevision), ("VALUE", .value),
  ]
}

extension Comparison.Relation: WireNamed {
  static let wireNames: [(name: String, value: Self)] = [
    ("EQUAL", .equal), ("GREATER", .greater), ("LESS", .less), ("NOT_EQUAL", .notEqual),
  ]
}

extension CompareMessage.Target: WireNamed {
  static let wireNames: [(name: String, value: Self)] = [
    ("VERSION", .version), ("CREATE", .createRevision), ("MOD", .modRevision), ("VALUE", .value), ("LEASE", .lease),
  ]
}
