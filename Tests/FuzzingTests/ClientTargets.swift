import ByteCoding
import KeyValue
import Links
import Replica

@testable import EtcdAPI

/// What clients send, and what they bring into the log.
extension FuzzTarget {
  static let clients = [
    FuzzTarget(name: "request", seeds: { requests.map { $0.encoded() } }, run: decodeRequest),
    FuzzTarget(name: "csv", seeds: { tables.map { [7] + Array($0.utf8) } }, run: readTable),
    FuzzTarget(name: "json", seeds: { bodies.map { [UInt8($0.kind)] + Array($0.text.utf8) } }, run: readBody),
  ]

  private static var requests: [Request] {
    let key = KeyRange(Array("k".utf8))
    let put = Request.put(PutRequest(key: [1], value: [2], previous: true))
    let operands: [Comparison.Operand] = [.version(1), .createRevision(2), .modRevision(3), .value([4]), .lease(5)]
    let comparisons = operands.map { Comparison(range: key, relation: .less, operand: $0) }
    return [
      put, .put(PutRequest(key: [1], value: [], ignoreValue: true, lease: 3)), .delete(DeleteRequest(range: key, previous: true)),
      .range(RangeRequest(range: .all, limit: 5, order: .descending, target: .value, keysOnly: true)),
      .transaction(TransactionRequest(comparisons: comparisons, success: [put], failure: [.transaction(TransactionRequest())])),
      .onBehalf(of: .user("anna"), put), .onBehalf(of: .nobody, .access(.addUser("anna", verifier: [1]))),
      .access(.grantPermission(Permission(.readWrite, key), toRole: "role")),
    ]
  }

  /// Each request has one encoding; and whatever it asks for, the store answers.
  private static func decodeRequest(_ bytes: [UInt8]) throws -> Bool {
    var machine = KeyValueMachine()
    let outputs = machine.apply([Command(index: 1, term: 1, payload: bytes[...])])
    try BrokenProperty.check(outputs.count == 1, "a command has \(outputs.count) outputs")
    guard let request = try? Request(decoding: bytes[...]) else { return false }
    try BrokenProperty.check(request.encoded() == bytes && request.encodedCount == bytes.count, "a request has two encodings")
    if case .success(let answer) = outputs[0] { _ = answer.result }
    return true
  }

  private static let tables = [
    "slug,target,visits\nabc,https://example.com/,5\n", "slug;target\r\n\"a\";\"https://example.com/?q=\"\"x\"\"\"\r\n",
    "\u{feff}slug\ttarget\n\na\thttps://example.com/\nb\n",
  ]

  /// Read as a whole, and in chunks of as many bytes as the first one says: both give the same.
  private static func readTable(_ bytes: [UInt8]) throws -> Bool {
    guard let first = bytes.first else { return false }
    let text = bytes.dropFirst()
    var (whole, chunked) = (LinkCSVReader(), LinkCSVReader())
    var rows = whole.read(text)
    rows += whole.finish()
    var others: [CSVRow<LinkRow>] = []
    var rest = text
    while !rest.isEmpty {
      others += chunked.read(rest.prefix(max(1, Int(first))))
      rest = rest.dropFirst(max(1, Int(first)))
    }
    others += chunked.finish()
    try BrokenProperty.check(rows == others, "the rows depend on how the file is cut into chunks")
    return whole.headerError == nil
  }

  private static let bodies: [(kind: Int, text: String)] = [
    (0, #"{"key":"YQ==","range_end":"AA==","limit":"5","sort_order":"DESCEND","sort_target":"MOD","serializable":true}"#),
    (0, #"{"key":"YQ==","keysOnly":true,"countOnly":false,"min_mod_revision":100,"unknown":{"a":[1,-2.5,null,"\u00e4\ud83d\ude00"]}}"#),
    (1, #"{"key":"YQ==","value":"YWI=","prev_kv":true,"ignore_value":false,"lease":0}"#),
    (2, #"{"key":"YQ==","range_end":null,"prevKv":true}"#),
    (
      3,
      #"{"compare":[{"key":"Zm9v","target":"VERSION","result":"GREATER","version":"2"},{"key":"YQ==","target":3,"value":"YQ=="}],"#
        + #""success":[{"requestPut":{"key":"YQ==","value":"YQ=="}}],"failure":[{"request_txn":{}},"#
        + #"{"request_delete_range":{"key":"YQ=="}}]}"#
    ), (4, "{}"),
  ]

  /// The first byte says which request it is. What is read can be proposed.
  private static func readBody(_ bytes: [UInt8]) throws -> Bool {
    guard let kind = bytes.first else { return false }
    var reader = RequestReader(Array(bytes.dropFirst()), maximumNesting: 64)
    do {
      let request: Request
      switch kind % 5 {
      case 0: request = try reader.readRange().request
      case 1: request = try reader.readPut().request
      case 2: request = try reader.readDelete().request
      case 3: request = try reader.readTransaction().request
      default:
        try reader.readNothing()
        return true
      }
      try BrokenProperty.check(try Request(decoding: request.encoded()[...]) == request, "a request that was read cannot be proposed")
      return true
    } catch is APIError {
      return false
    }
  }
}
