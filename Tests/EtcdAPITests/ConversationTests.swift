import KeyValue
import Replica
import Testing

@testable import EtcdAPI

/// What etcd 3.5.1 answered to these requests, byte for byte, in this order (recorded; version, size and what is not served are ours).
@Suite struct ConversationTests {
  @Test func answersAsEtcdDoes() throws {
    let gateway = Gateway(service: ModelService(), settings: GatewaySettings())
    for exchange in Self.exchanges {
      let response = try #require(gateway.answer(exchange.path, exchange.request))
      #expect(response.text == exchange.answer.replacing("HEADER", with: Self.identity), "\(exchange.path) \(exchange.request)")
      #expect(response.status == exchange.status, "\(exchange.path) \(exchange.request)")
    }
  }

  private struct Exchange {
    var path: String
    var request: String
    var answer: String
    var status = 200
  }

  private static let identity = #""cluster_id":"14841639068965178418","member_id":"10276657743932975437""#

  private static func failure(_ path: String, _ request: String, _ code: Int, _ text: String, _ status: Int = 400) -> Exchange {
    Exchange(path: path, request: request, answer: #"{"error":"\#(text)","code":\#(code),"message":"\#(text)"}"#, status: status)
  }

  private static let exchanges =
    pointExchanges + [
      Exchange(
        path: "/v3/kv/txn",
        request:
          #"{"compare":[{"key":"Zm9v","target":"VERSION","version":"2"}],"success":[{"requestPut":{"key":"YQ==","#
          + #""value":"YQ=="}},{"request_range":{"key":"YQ=="}}]}"#,
        answer:
          #"{"header":{HEADER,"revision":"4","raft_term":"2"},"succeeded":true,"#
          + #""responses":[{"response_put":{"header":{"revision":"4"}}},{"response_range":{"header":{"revision":"4"},"#
          + #""kvs":[{"key":"YQ==","create_revision":"4","mod_revision":"4","version":"1","value":"YQ=="}],"count":"1"}}]}"#
      ),
      failure(
        "/v3/kv/txn", #"{"success":[{"requestPut":{"key":"YQ==","value":"YQ=="}},{"request_put":{"key":"YQ=="}}]}"#, 3,
        "etcdserver: duplicate key given in txn request"),
      Exchange(
        path: "/v3/kv/txn",
        request:
          #"{"success":[{"request_range":{"key":"YQ=="}},{"request_put":{"key":"Yg=="}},"#
          + #"{"request_txn":{"success":[{"request_range":{"key":"YQ=="}},{"request_put":{"key":"Yw==","value":"MQ==","#
          + #""prev_kv":true}}]}},{"request_delete_range":{"key":"ZA=="}}]}"#,
        answer:
          #"{"header":{HEADER,"revision":"5","raft_term":"2"},"succeeded":true,"#
          + #""responses":[{"response_range":{"header":{"revision":"4"},"kvs":[{"key":"YQ==","create_revision":"4","#
          + #""mod_revision":"4","version":"1","value":"YQ=="}],"count":"1"}},{"response_put":{"header":{"revision":"5"}}},"#
          + #"{"response_txn":{"header":{},"succeeded":true,"responses":[{"response_range":{"header":{"revision":"5"},"#
          + #""kvs":[{"key":"YQ==","create_revision":"4","mod_revision":"4","version":"1","value":"YQ=="}],"count":"1"}},"#
          + #"{"response_put":{"header":{"revision":"5"}}}]}},{"response_delete_range":{"header":{"revision":"5"}}}]}"#
      ),
      Exchange(
        path: "/v3/kv/txn", request: #"{"success":[{"request_txn":{"success":[]}}]}"#,
        answer:
          #"{"header":{HEADER,"revision":"5","raft_term":"2"},"succeeded":true,"responses":[{"response_txn":{"header":{},"#
          + #""succeeded":true}}]}"#
      ),
      Exchange(path: "/v3/kv/txn", request: "{}", answer: #"{"header":{HEADER,"revision":"5","raft_term":"2"},"succeeded":true}"#),
      failure("/v3/kv/txn", #"{"success":[{}]}"#, 3, "etcdserver: key not found"),
      Exchange(
        path: "/v3/kv/txn", request: #"{"compare":[{"key":"YQ==","result":"GREATER","target":"MOD","mod_revision":"99"}]}"#,
        answer: #"{"header":{HEADER,"revision":"5","raft_term":"2"}}"#),
      Exchange(
        path: "/v3/kv/deleterange", request: #"{"key":"Zm9v","prev_kv":true}"#,
        answer:
          #"{"header":{HEADER,"revision":"6","raft_term":"2"},"deleted":"1","prev_kvs":[{"key":"Zm9v","#
          + #""create_revision":"2","mod_revision":"3","version":"2","value":"YmF6"}]}"#
      ),
      Exchange(
        path: "/v3/kv/deleterange", request: #"{"key":"Zm9v"}"#, answer: #"{"header":{HEADER,"revision":"6","raft_term":"2"}}"#),
      failure("/v3/kv/put", #"{"key":"YQ==","lease":"5"}"#, 5, "etcdserver: requested lease not found", 404),
      failure("/v3/kv/put", #"{"key":"YQ==","value":"YQ==","ignore_value":true}"#, 3, "etcdserver: value is provided"),
      failure("/v3/kv/put", #"{"key":"bm9uZQ==","ignore_value":true}"#, 3, "etcdserver: key not found"),
      Exchange(
        path: "/v3/maintenance/status", request: "{}",
        answer:
          #"{"header":{HEADER,"revision":"6","raft_term":"2"},"version":"3.5.0","dbSize":"20480","#
          + #""leader":"10276657743932975437","raftIndex":"17","raftTerm":"2","raftAppliedIndex":"17","dbSizeInUse":"788"}"#
      ),
      Exchange(
        path: "/v3/cluster/member/list", request: "{}",
        answer:
          #"{"header":{HEADER,"raft_term":"2"},"members":[{"ID":"10276657743932975437","name":"default","#
          + #""peerURLs":["http://localhost:2380"],"clientURLs":["http://localhost:2379"]}]}"#
      ),
      Exchange(path: "/v3/nothing", request: "{}", answer: "Not Found\n", status: 404),
      Exchange(path: "/v3alpha/kv/range", request: "{}", answer: "404 page not found\n", status: 404),
      Exchange(
        path: "/v3beta/kv/range", request: #"{"key":"Zm9v"}"#, answer: #"{"header":{HEADER,"revision":"6","raft_term":"2"}}"#),
    ]

  private static let pointExchanges = [
    Exchange(
      path: "/v3/kv/put", request: #"{"key":"Zm9v","value":"YmFy"}"#, answer: #"{"header":{HEADER,"revision":"2","raft_term":"2"}}"#),
    Exchange(
      path: "/v3/kv/put", request: #"{"key":"Zm9v","value":"YmF6","prev_kv":true}"#,
      answer:
        #"{"header":{HEADER,"revision":"3","raft_term":"2"},"prev_kv":{"key":"Zm9v","create_revision":"2","#
        + #""mod_revision":"2","version":"1","value":"YmFy"}}"#
    ),
    Exchange(
      path: "/v3/kv/range", request: #"{"key":"Zm9v"}"#,
      answer:
        #"{"header":{HEADER,"revision":"3","raft_term":"2"},"kvs":[{"key":"Zm9v","create_revision":"2","#
        + #""mod_revision":"3","version":"2","value":"YmF6"}],"count":"1"}"#
    ),
    Exchange(path: "/v3/kv/range", request: #"{"key":"bm9uZQ=="}"#, answer: #"{"header":{HEADER,"revision":"3","raft_term":"2"}}"#),
    Exchange(
      path: "/v3/kv/range", request: #"{"key":"AA==","range_end":"AA==","count_only":true}"#,
      answer: #"{"header":{HEADER,"revision":"3","raft_term":"2"},"count":"1"}"#),
    failure(
      "/v3/kv/range", #"{"key":"Zm9v","revision":"99"}"#, 11, "etcdserver: mvcc: required revision is a future revision"),
    Exchange(
      path: "/v3/kv/range", request: #"{"key":"Zm9v","sort_order":"DESCEND","sort_target":"MOD","keys_only":true}"#,
      answer:
        #"{"header":{HEADER,"revision":"3","raft_term":"2"},"kvs":[{"key":"Zm9v","create_revision":"2","#
        + #""mod_revision":"3","version":"2"}],"count":"1"}"#
    ),
    failure("/v3/kv/range", "{}", 3, "etcdserver: key is not provided"),
    failure("/v3/kv/range", "", 3, "etcdserver: key is not provided"),
    failure("/v3/kv/range", #"{"key":null}"#, 3, "etcdserver: key is not provided"),
    failure("/v3/kv/range", #"{"key":"%%"}"#, 3, "illegal base64 data at input byte 0"),
    Exchange(
      path: "/v3/kv/range", request: #"{"key":"Zm9v","bogus":1}"#,
      answer:
        #"{"header":{HEADER,"revision":"3","raft_term":"2"},"kvs":[{"key":"Zm9v","create_revision":"2","#
        + #""mod_revision":"3","version":"2","value":"YmF6"}],"count":"1"}"#
    ),
  ]
}

extension Gateway {
  /// The answer to a call, given that the service answers at once.
  func answer(_ path: String, _ body: String, timeout: String? = nil) -> GatewayResponse? {
    answer(GatewayRequest(method: "POST", target: path, timeout: timeout, body: Array(body.utf8)))
  }

  func answer(_ request: GatewayRequest) -> GatewayResponse? {
    let (gateway, step) = begin(request)
    switch step {
    case .answer(let response): return response
    case .perform(let task):
      let box = Box<Result<ServedAnswer, StoreError>>()
      gateway.service.perform(task.request, consistency: task.consistency, timeout: task.timeout) { box.put($0) }
      return box.take().map { gateway.finish(task.purpose, $0) }
    case .operate(let operation):
      let box = Box<Result<Void, RequestError>>()
      gateway.service.perform(operation.request, timeout: operation.timeout) { box.put($0) }
      return box.take().map { gateway.finish(operation, $0) }
    case .look(let look):
      let box = Box<Result<KeyValueView, StoreError>>()
      gateway.service.read(look.consistency, timeout: look.timeout) { box.put($0) }
      return box.take().map { look.answer(gateway, $0) }
    // What takes its time is tested over a connection.
    case .converse, .administer, .catchUp: return nil
    }
  }
}

extension GatewayResponse {
  /// The whole body.
  var text: String {
    var body = body
    var bytes: [UInt8] = []
    while let chunk = body.next() { bytes += chunk }
    return String(decoding: bytes, as: UTF8.self)
  }
}
