import KeyValue
import Replica

/// What a client asks.
struct DecodedRequest {
  var request: Request
  var consistency: Consistency
}

/// Reads a body into a request, as etcd's `rpc.proto` has it. A field that is not known is ignored, one that is left out has its default.
///
/// The bounds of a transaction are kept while it is read: what is beyond them is refused before it is made.
struct RequestReader {
  var json: JSONReader
  /// Operations and comparisons that may still come.
  private var remaining = Limits.totalOperations

  init(_ body: [UInt8], maximumNesting: Int) { json = JSONReader(body, maximumNesting: maximumNesting) }

  mutating func readRange() throws(APIError) -> DecodedRequest {
    let (range, mayBeStale) = try range(try json.openBody())
    try json.closeBody()
    return DecodedRequest(request: .range(range), consistency: mayBeStale ? .serializable : .linearizable)
  }

  mutating func readPut() throws(APIError) -> DecodedRequest {
    let put = try put(try json.openBody())
    try json.closeBody()
    return DecodedRequest(request: .put(put), consistency: .linearizable)
  }

  mutating func readDelete() throws(APIError) -> DecodedRequest {
    let delete = try delete(try json.openBody())
    try json.closeBody()
    return DecodedRequest(request: .delete(delete), consistency: .linearizable)
  }

  mutating func readTransaction() throws(APIError) -> DecodedRequest {
    let (transaction, mayBeStale) = try transaction(try json.openBody())
    try json.closeBody()
    return DecodedRequest(request: .transaction(transaction), consistency: mayBeStale ? .serializable : .linearizable)
  }

  /// A message of which no field matters.
  mutating func readNothing() throws(APIError) {
    try json.skipBody()
    try json.closeBody()
  }
}

// MARK: Messages

extension RequestReader {
  private mutating func range(
    _ message: JSONReader.Message<RangeField>
  ) throws(APIError) -> (request: RangeRequest, mayBeStale: Bool) {
    var fields = message
    var (start, end): (Key, Key) = ([], [])
    var request = RangeRequest(range: KeyRange(start))
    var mayBeStale = false
    while let field = try json.next(&fields) {
      switch field {
      case .key: start = try json.readBytes()
      case .rangeEnd: end = try json.readBytes()
      case .limit: request.limit = try json.readInteger()
      case .revision: request.revision = try json.readInteger()
      case .sortOrder: request.order = try choice(else: .invalidSortOption)
      case .sortTarget: request.target = try choice(else: .invalidSortOption)
      case .serializable: mayBeStale = try json.readFlag()
      case .keysOnly: request.keysOnly = try json.readFlag()
      case .countOnly: request.countOnly = try json.readFlag()
      case .minimumModRevision: request.minimumModRevision = try json.readInteger()
      case .maximumModRevision: request.maximumModRevision = try json.readInteger()
      case .minimumCreateRevision: request.minimumCreateRevision = try json.readInteger()
      case .maximumCreateRevision: request.maximumCreateRevision = try json.readInteger()
      }
    }
    request.range = KeyRange(start: start, end: end)
    return (request, mayBeStale)
  }

  private mutating func put(_ message: JSONReader.Message<PutField>) throws(APIError) -> PutRequest {
    var fields = message
    var request = PutRequest(key: [], value: [])
    while let field = try json.next(&fields) {
      switch field {
      case .key: request.key = try json.readBytes()
      case .value: request.value = try json.readBytes()
      case .lease: request.lease = try json.readInteger()
      case .previous: request.previous = try json.readFlag()
      case .ignoreValue: request.ignoreValue = try json.readFlag()
      case .ignoreLease: request.ignoreLease = try json.readFlag()
      }
    }
    return request
  }

  private mutating func delete(_ message: JSONReader.Message<DeleteField>) throws(APIError) -> DeleteRequest {
    var fields = message
    var (start, end): (Key, Key) = ([], [])
    var previous = false
    while let field = try json.next(&fields) {
      switch field {
      case .key: start = try json.readBytes()
      case .rangeEnd: end = try json.readBytes()
      case .previous: previous = try json.readFlag()
      }
    }
    return DeleteRequest(range: KeyRange(start: start, end: end), previous: previous)
  }

  /// It may be answered by what may be stale if all its operations are reads that may be. (etcd does so even with comparisons.)
  private mutating func transaction(
    _ message: JSONReader.Message<TransactionField>
  ) throws(APIError) -> (request: TransactionRequest, mayBeStale: Bool) {
    var fields = message
    var request = TransactionRequest()
    var mayBeStale = true
    while let field = try json.next(&fields) {
      switch field {
      case .compare:
        request.comparisons = try comparisons()
        if !request.comparisons.isEmpty { mayBeStale = false }
      case .success: request.success = try operations(&mayBeStale)
      case .failure: request.failure = try operations(&mayBeStale)
      }
    }
    return (request, mayBeStale)
  }

  private mutating func comparisons() throws(APIError) -> [Comparison] {
    var comparisons: [Comparison] = []
    var list = try json.openList()
    while try json.next(&list) {
      try admit(after: comparisons.count)
      comparisons.append(try comparison(try json.openMessage()))
    }
    return comparisons
  }

  private mutating func operations(_ mayBeStale: inout Bool) throws(APIError) -> [Request] {
    var operations: [Request] = []
    var list = try json.openList()
    while try json.next(&list) {
      try admit(after: operations.count)
      operations.append(try operation(try json.openMessage(), &mayBeStale))
    }
    return operations
  }

  /// Whether there may be one more element in a list of a transaction. (How lists inside each other add up is seen when all is there.)
  private mutating func admit(after count: Int) throws(APIError) {
    remaining -= 1
    guard count < Limits.operations, remaining >= 0 else { throw APIError(.tooManyOperations) }
  }

  private mutating func operation(
    _ message: JSONReader.Message<OperationField>, _ mayBeStale: inout Bool
  ) throws(APIError) -> Request {
    var fields = message
    var request: Request?
    var isStaleRead = false
    while let field = try json.next(&fields) {
      guard request == nil else {
        throw APIError(.invalidArgument, "an operation must be one of request_range, request_put, request_delete_range, request_txn")
      }
      switch field {
      case .range:
        let (range, mayBeStale) = try range(try json.openMessage())
        request = .range(range)
        isStaleRead = mayBeStale
      case .put: request = .put(try put(try json.openMessage()))
      case .delete: request = .delete(try delete(try json.openMessage()))
      case .transaction: request = .transaction(try transaction(try json.openMessage()).request)
      }
    }
    // etcd's answer to an operation that is none.
    guard let request else { throw APIError(.keyNotFound) }
    if !isStaleRead { mayBeStale = false }
    return request
  }

  private mutating func comparison(_ message: JSONReader.Message<ComparisonField>) throws(APIError) -> Comparison {
    var fields = message
    let unknown = APIError(.invalidArgument, "unknown result or target of a comparison")
    var (start, end): (Key, Key) = ([], [])
    var relation = Comparison.Relation.equal
    var target = ComparisonTarget.version
    var given: (target: ComparisonTarget, number: Int64, value: Value)?
    while let field = try json.next(&fields) {
      switch field {
      case .key: start = try json.readBytes()
      case .rangeEnd: end = try json.readBytes()
      case .result: relation = try choice(else: unknown)
      case .target: target = try choice(else: unknown)
      case .version, .createRevision, .modRevision, .lease, .value:
        guard given == nil else { throw APIError(.invalidArgument, "a comparison must be with one value") }
        let isValue = field == .value
        given = try isValue ? (field.operand, 0, json.readBytes()) : (field.operand, json.readInteger(), [])
      }
    }
    // As with etcd: the value of another kind than the target's counts as none.
    let number = given?.target == target ? given?.number ?? 0 : 0
    let operand: Comparison.Operand =
      switch target {
      case .version: .version(number)
      case .createRevision: .createRevision(number)
      case .modRevision: .modRevision(number)
      case .value: .value(given?.value ?? [])
      case .lease: .lease(number)
      }
    return Comparison(range: KeyRange(start: start, end: end), relation: relation, operand: operand)
  }

  mutating func choice<Value: WireNamed>(else error: APIError) throws(APIError) -> Value {
    guard let value = try json.readChoice(Value.self) else { throw error }
    return value
  }
}
