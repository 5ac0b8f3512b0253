import KeyValue
import Testing

@testable import EtcdAPI

/// Whatever comes in, something sensible goes out.
@Suite struct HostileInputTests {
  private let gateway = Gateway(service: ModelService(), settings: GatewaySettings())

  @Test(
    "Refused, and said why",
    arguments: [
      "{", #"{"key""#, #"{"key":"#, #"{"key":"YQ=="#, #"{"key":"YQ==""#, "[]", "7", #""text""#, "{]", "\u{0}", #"{"key":5}"#,
      #"{"key":{}}"#, #"{"key":"YQ==","limit":"x"}"#, #"{"key":"YQ==","limit":1.5}"#, #"{"key":"YQ==","limit":99999999999999999999}"#,
      #"{"key":"YQ==","limit":"99999999999999999999"}"#, #"{"key":"YQ==","limit":1e999}"#, #"{"key":"YQ==","limit":true}"#,
      #"{"key":"YQ==","serializable":"yes"}"#, #"{"key":"YQ==","sort_order":"SIDEWAYS"}"#, #"{"key":"YQ==","sort_order":7}"#,
      #"{"key":"YQ==","sort_target":-1}"#, #"{"key":"\ud800"}"#,
    ])
  func malformed(body: String) throws {
    let response = try #require(gateway.answer("/v3/kv/range", body))
    #expect(response.status == 400)
    #expect(response.text.hasPrefix(#"{"error":""#))
    #expect(response.text.contains(#""code":3,"#))
  }

  @Test func anythingCutShortIsRefused() throws {
    let whole = #"{"compare":[{"key":"Zm9v","target":"VERSION","version":"2"}],"success":[{"requestPut":{"key":"YQ==","value":"YQ=="}}]}"#
    for length in 1..<whole.utf8.count {
      #expect(try #require(gateway.answer("/v3/kv/txn", String(whole.prefix(length)))).status == 400)
    }
  }

  @Test func bytesThatAreNoText() throws {
    for body in [[0xff, 0xfe, 0x00], Array(#"{"key":""#.utf8) + [0xc3, 0x28] + Array(#""}"#.utf8), [0xed, 0xa0, 0x80]] as [[UInt8]] {
      let response = try #require(gateway.answer(GatewayRequest(method: "POST", target: "/v3/kv/range", body: body)))
      #expect(response.status == 400)
    }
  }

  @Test("Depth is bounded, in what is read and in what is read over", arguments: [#"{"a":"#, #"{"success":[{"request_txn":"#])
  func nesting(opening: String) throws {
    for count in [65, 1000, 200_000] {
      let response = try #require(gateway.answer("/v3/kv/txn", String(repeating: opening, count: count)))
      #expect(response.status == 400)
      #expect(response.text.contains("nested deeper than 64 levels"))
    }
  }

  @Test func depthIsCountedExactly() throws {
    func body(_ depth: Int) -> String {
      #"{"a":"# + String(repeating: "[", count: depth - 1) + String(repeating: "]", count: depth - 1) + "}"
    }
    #expect(try #require(gateway.answer("/v3/kv/txn", body(64))).status == 200)
    #expect(try #require(gateway.answer("/v3/kv/txn", body(65))).status == 400)
    // Beside each other they are not inside each other.
    #expect(try #require(gateway.answer("/v3/kv/txn", #"{"a":[\#(String(repeating: "[[{}]],", count: 100))1]}"#)).status == 200)
  }

  @Test func bracketsInTextsAreNoDepth() throws {
    let brackets = String(repeating: #"[{\""#, count: 100)
    let response = try #require(gateway.answer("/v3/kv/put", #"{"key":"YQ==","comment":"\#(brackets)"}"#))
    #expect(response.status == 200)
  }

  @Test func bothSpellingsAndBothKindsOfNumber() throws {
    _ = gateway.answer("/v3/kv/put", #"{"key":"YQ==","value":"YQ=="}"#)
    let bodies = [
      #"{"key":"YQ==","rangeEnd":"AA==","limit":1,"sortOrder":2,"keysOnly":true}"#,
      #"{"key":"YQ==","range_end":"AA==","limit":"1","sort_order":"DESCEND","keys_only":true}"#,
    ]
    let answers = try bodies.map { try #require(gateway.answer("/v3/kv/range", $0)).text }
    #expect(answers[0] == answers[1])
    #expect(answers[0].contains(#""count":"1""#))
  }

  @Test func anOperationIsOneThing() throws {
    let body = #"{"success":[{"request_put":{"key":"YQ=="},"request_range":{"key":"YQ=="}}]}"#
    #expect(try #require(gateway.answer("/v3/kv/txn", body)).status == 400)
    let comparison = #"{"compare":[{"key":"YQ==","version":"1","mod_revision":"1"}]}"#
    #expect(try #require(gateway.answer("/v3/kv/txn", comparison)).status == 400)
  }

  @Test func whatIsNotServedIsNotIgnored() throws {
    #expect(try #require(gateway.answer("/v3/maintenance/alarm", #"{"action":"ACTIVATE","alarm":"NOSPACE"}"#)).status == 501)
    #expect(try #require(gateway.answer("/v3/auth/role/rename", "{}")).status == 404)
  }

  @Test func leasesThatAreNotThereAreRefused() throws {
    for (path, body, status) in [
      ("kv/put", #"{"key":"YQ==","lease":5}"#, 404), ("kv/put", #"{"key":"YQ==","ignore_lease":true}"#, 400),
      ("lease/revoke", #"{"ID":5}"#, 404), ("lease/revoke", "{}", 404), ("lease/grant", #"{"ID":1,"TTL":"9000000001"}"#, 400),
      ("lease/grant", #"{"ID":1,"TTL":"-5"}"#, 200), ("lease/grant", #"{"ID":1,"TTL":"5"}"#, 400),
      ("kv/compaction", #"{"revision":"100"}"#, 400), ("kv/compaction", #"{"revision":"-7"}"#, 400),
    ] { #expect(try #require(gateway.answer("/v3/\(path)", body)).status == status, "\(path) \(body)") }
  }

  @Test func methodsAreChecked() throws {
    let wrong = [("GET", "/v3/kv/put"), ("POST", "/version"), ("PUT", "/health"), ("DELETE", "/v3/kv/range")]
    for (method, target) in wrong {
      let response = try #require(gateway.answer(GatewayRequest(method: method, target: target)))
      #expect(response.status == 405)
      #expect(response.allow != nil)
    }
  }
}
