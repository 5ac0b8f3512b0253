import KeyValue
import Replica
import Testing

@testable import EtcdAPI

/// How bodies are read, held against what etcd 3.4.23 accepted and refused.
@Suite struct RequestReaderTests {
  private func read(_ body: String) throws(APIError) -> RangeRequest {
    var reader = RequestReader(Array(body.utf8), maximumNesting: 64)
    guard case .range(let request) = try reader.readRange().request else { throw APIError(.internalError, "no range") }
    return request
  }

  private func transaction(_ body: String) throws(APIError) -> DecodedRequest {
    var reader = RequestReader(Array(body.utf8), maximumNesting: 64)
    return try reader.readTransaction()
  }

  @Test(
    "Accepted, as by etcd",
    arguments: [
      #"{"key":"YQ=="}"#, " \t\r\n{ \"key\" : \"YQ==\" }\n", #"{"key":"\u0059Q=="}"#, #"{"\u006bey":"YQ=="}"#, #"{"key":"Y\nQ=="}"#,
      #"{"key":"YQ==","limit":"-0"}"#, #"{"key":"YQ==","limit":-0}"#, #"{"key":"YQ==","limit":null}"#,
      #"{"key":"YQ==","serializable":null}"#, #"{"key":"YQ==","sort_order":null}"#, #"{"key":"YQ==","sort_order":1}"#,
      #"{"key":"YQ==","bogus":1,"bogus":[{},"x",{"y":[1.5e-7,-0.1E+2,true,false,null]}]}"#, #"{"x":"\ud800","key":"YQ=="}"#,
      #"{"x":1e999,"key":"YQ=="}"#, #"{"@type":"x","key":"YQ=="}"#, #"{"keY":"Yg==","key":"YQ=="}"#, #"{"":1,"key":"YQ=="}"#,
      #"{"key":"YQ==","KeysOnly":true,"keys_Only":"x","Range_End":"Yw==","rangeend":"Yw==","range_End":"Yw==","RangeEnd":"Yw=="}"#,
      #"{"key":"YR=="}"#,
    ])
  func accepted(body: String) throws {
    let request = try read(body)
    #expect(request.range == KeyRange([97]) && !request.keysOnly && request.limit == 0)
  }

  @Test(
    "Refused, as by etcd",
    arguments: [
      #"{"key":"YQ==",}"#, #"{"key":"YQ==","limit":01}"#, #"{"key":"YQ==","limit":"01"}"#, #"{"key":"YQ==","limit":"+1"}"#,
      #"{"key":"YQ==","limit":+1}"#, #"{"key":"YQ==","limit":1.0}"#, #"{"key":"YQ==","limit":1e0}"#, #"{"key":"YQ==","limit":"1e0"}"#,
      #"{"key":"YQ==","limit":"1.0"}"#, #"{"key":"YQ==","limit":""}"#, #"{"key":"YQ==","limit":"-"}"#, #"{"key":"YQ==","limit":-}"#,
      "\u{feff}{\"key\":\"YQ==\"}", "{\"key\":\"Y\nQ==\"}", "{\"a\":\"\u{1}\",\"key\":\"YQ==\"}", #"{"key":"YQ"}"#, #"{"key":"_-8="}"#,
      #"{"key":5}"#, #"{"key":"YQ==","serializable":"true"}"#, #"{"key":"YQ==","serializable":1}"#, #"{"key":"YQ==","serializable":tru}"#,
      #"{"key":"YQ==","sort_order":"ascend"}"#, #"{"key":"YQ==","sort_order":"1"}"#, #"{"key":"YQ==","sort_order":1.0}"#,
      #"{"key":"YQ==","sort_order":99999999999}"#, "[]", "7", "true", #""x""#, #"{"x":"\q","key":"YQ=="}"#, #"{"x":nul,"key":"YQ=="}"#,
      #"{"x":1.,"key":"YQ=="}"#, #"{"x":.5,"key":"YQ=="}"#, #"{"x":1e,"key":"YQ=="}"#, #"{"x":-,"key":"YQ=="}"#, #"{"x":00,"key":"YQ=="}"#,
      #"{"x":NaN,"key":"YQ=="}"#, #"{key:"YQ=="}"#, "{'key':'YQ=='}", #"{"key":"YQ==" "limit":1}"#, #"{"key" "YQ=="}"#,
      #"{"key":"YQ=="/**/}"#, "\u{b}{\"key\":\"YQ==\"}", "\u{c}{\"key\":\"YQ==\"}", #"{"key":"YQ==","limit":9223372036854775808}"#,
      #"{"key":"YQ==","limit":true}"#, #"{"key":"YQ==","limit":{}}"#, #"{"x":[1,],"key":"YQ=="}"#, #"{"x":[,],"key":"YQ=="}"#,
      #"{"x":{"y"},"key":"YQ=="}"#, #"{"x":{y:1},"key":"YQ=="}"#, #"{"x":[1}],"key":"YQ=="}"#, #"{,"key":"YQ=="}"#, #"{"x":"\u12g4"}"#,
    ])
  func refused(body: String) { #expect(throws: APIError.self) { try read(body) } }

  @Test(
    "Refused, where etcd takes the last, or the first, or nothing",
    arguments: [
      (#"{"key":"YQ==","range_end":"Yg==","rangeEnd":"Yw=="}"#, "at byte 33, in range_end: the field is given twice"),
      (#"{"key":"YQ==","key":"YQ=="}"#, "at byte 14, in key: the field is given twice"),
      (#"{"key":"YQ==","k\u0065y":null}"#, "in key: the field is given twice"), (#"{"key":"YQ=="} x"#, "at byte 15: something follows"),
      (#"{"key":"YQ=="}{"key":"Yg=="}"#, "at byte 14: something follows"), (#"{"key":"YQ==","limit":" 1"}"#, "in limit: a 64-bit integer"),
      (#"{"key":[97]}"#, "at byte 7, in key: bytes in base64"), (#"{"key":"YQ==","sort_target":9}"#, "invalid sort option"),
    ])
  func stricter(body: String, problem: String) {
    do {
      _ = try read(body)
      Issue.record("accepted")
    } catch {
      #expect(error.code == .invalidArgument && error.message.contains(problem), "\(error.message)")
    }
  }

  /// A name in neither spelling is unknown: were it known, this would delete two keys.
  @Test func aNameThatIsAlmostKnownIsUnknown() throws {
    var reader = RequestReader(Array(#"{"key":"YQ==","Range_End":"Yw=="}"#.utf8), maximumNesting: 64)
    #expect(try reader.readDelete().request == .delete(DeleteRequest(range: KeyRange([97]))))
  }

  @Test func integersAreWhole() throws {
    for (text, number) in [("9223372036854775807", Int64.max), ("-9223372036854775808", .min), ("0", 0), ("-1", -1), ("10", 10)] {
      #expect(try read(#"{"key":"YQ==","limit":\#(text)}"#).limit == number)
      #expect(try read(#"{"key":"YQ==","limit":"\#(text)"}"#).limit == number)
    }
    for text in ["9223372036854775808", "-9223372036854775809", "92233720368547758070", "18446744073709551616"] {
      #expect(throws: APIError.self) { try read(#"{"key":"YQ==","limit":"\#(text)"}"#) }
    }
  }

  @Test func everyFieldIsRead() throws {
    let camel = #"""
      {"key":"YQ==","rangeEnd":"Yg==","limit":1,"revision":"2","sortOrder":"DESCEND","sortTarget":"MOD","serializable":true,"keysOnly":true,
      "countOnly":true,"minModRevision":3,"maxModRevision":4,"minCreateRevision":5,"maxCreateRevision":"6"}
      """#
    let snake = #"""
      {"key":"YQ==","range_end":"Yg==","limit":"1","revision":2,"sort_order":2,"sort_target":3,"serializable":true,"keys_only":true,
      "count_only":true,"min_mod_revision":3,"max_mod_revision":4,"min_create_revision":5,"max_create_revision":6}
      """#
    let expected = RangeRequest(
      range: KeyRange(start: [97], end: [98]), limit: 1, revision: 2, order: .descending, target: .modRevision, keysOnly: true,
      countOnly: true, minimumModRevision: 3, maximumModRevision: 4, minimumCreateRevision: 5, maximumCreateRevision: 6)
    for body in [camel, snake] {
      var reader = RequestReader(Array(body.utf8), maximumNesting: 64)
      let decoded = try reader.readRange()
      #expect(decoded.request == .range(expected))
      #expect(decoded.consistency == .serializable)
    }
    var reader = RequestReader(
      Array(#"{"key":"YQ==","value":"Yg==","lease":"7","prevKv":true,"ignoreValue":true,"ignore_lease":false}"#.utf8), maximumNesting: 64)
    let put = PutRequest(key: [97], value: [98], previous: true, ignoreValue: true, lease: 7)
    #expect(try reader.readPut().request == .put(put))
  }

  @Test func operandsBelongToTheirTargets() throws {
    for (fields, operand) in [
      (#""target":"MOD","mod_revision":"5""#, Comparison.Operand.modRevision(5)), (#""target":"MOD","version":"5""#, .modRevision(0)),
      (#""target":3,"value":"YQ==""#, .value([97])), (#""target":"VALUE","version":"5""#, .value([])), (#""version":5"#, .version(5)),
      (#""create_revision":5,"target":"CREATE""#, .createRevision(5)), (#""value":"YQ==""#, .version(0)), (#""lease":"5""#, .version(0)),
      (#""lease":"5","target":"LEASE""#, .lease(5)), (#""target":4"#, .lease(0)),
    ] {
      let decoded = try transaction(#"{"compare":[{"key":"YQ==","result":"NOT_EQUAL",\#(fields)}]}"#)
      let expected = Comparison(range: KeyRange([97]), relation: .notEqual, operand: operand)
      #expect(decoded.request == .transaction(TransactionRequest(comparisons: [expected])), "\(fields)")
    }
    for fields in [#""version":1,"modRevision":1"#, #""value":"","lease":"1""#, #""target":9"#] {
      #expect(throws: APIError.self) { try transaction(#"{"compare":[{"key":"YQ==",\#(fields)}]}"#) }
    }
  }

  @Test func staleAnswersAreForReadsAlone() throws {
    let read = #"{"request_range":{"key":"YQ==","serializable":true}}"#
    for (body, consistency) in [
      ("{}", Consistency.serializable), (#"{"success":[\#(read)],"failure":[\#(read),\#(read)]}"#, .serializable),
      (#"{"success":[\#(read)],"compare":[{"key":"YQ=="}]}"#, .linearizable),
      (#"{"success":[\#(read),{"request_range":{"key":"YQ=="}}]}"#, .linearizable),
      (#"{"success":[\#(read)],"failure":[{"request_put":{"key":"YQ=="}}]}"#, .linearizable),
      (#"{"success":[{"request_txn":{"success":[\#(read)]}}]}"#, .linearizable),
    ] {
      #expect(try transaction(body).consistency == consistency, "\(body)")
    }
  }

  @Test("What etcd ends the connection for is refused", arguments: [#"{"success":[null]}"#, #"{"compare":[null]}"#, #"{"success":{}}"#])
  func noElement(body: String) { #expect(throws: APIError.self) { try transaction(body) } }

  // MARK: Bounds

  /// What comes after the bound is not even looked at: here it is no JSON.
  @Test(arguments: ["compare", "success", "failure"]) func aListEndsAtItsBound(name: String) throws {
    let element = name == "compare" ? #"{"key":"YQ=="}"# : #"{"request_range":{"key":"YQ=="}}"#
    let full = String(repeating: element + ",", count: Limits.operations - 1) + element
    _ = try transaction(#"{"\#(name)":[\#(full)]}"#)
    do {
      _ = try transaction(#"{"\#(name)":[\#(full),@@@"#)
      Issue.record("accepted")
    } catch {
      #expect(error == APIError(.invalidArgument, "etcdserver: too many operations in txn request"))
    }
  }

  @Test func allListsTogetherEndAtTheirBound() throws {
    let reads = String(repeating: #"{"request_range":{"key":"YQ=="}},"#, count: 126) + #"{"request_range":{"key":"YQ=="}}"#
    // Each inner transaction is one operation and holds 127 more: 32 of them are 4,096.
    let inner = #"{"request_txn":{"success":[\#(reads)]}}"#
    _ = try transaction(#"{"failure":[\#(String(repeating: inner + ",", count: 31))\#(inner)]}"#)
    do {
      _ = try transaction(#"{"failure":[\#(String(repeating: inner + ",", count: 32)){@@@"#)
      Issue.record("accepted")
    } catch {
      #expect(error == APIError(.invalidArgument, "etcdserver: too many operations in txn request"))
    }
  }

  // MARK: Whatever comes in

  private static let valid = [
    #"{"key":"YQ==","range_end":"Yg==","limit":"12","revision":0,"sort_order":"DESCEND","sort_target":2,"serializable":true}"#,
    #"{"compare":[{"key":"YQ==","target":"VALUE","value":"YWJj","result":1}],"success":[{"requestPut":{"key":"YQ==","value":"Yg==","#
      + #""prevKv":true}},{"request_delete_range":{"key":"YQ==","rangeEnd":"AA=="}}],"failure":[{"request_txn":{"compare":[],"#
      + #""success":[{"request_range":{"key":"YQ=="}}]}}],"more":{"a":[1,2.5e3,"\u00e9\ud83d\ude00\n",null,true]}}"#,
  ].map { Array($0.utf8) }

  @Test(arguments: 0..<40) func mutatedBodiesAreReadOrRefused(seed: Int) {
    var generator = SplitMix(state: UInt64(seed))
    let alphabet = Array(#"{}[],:"\u0109eE+-.tfn aZ="#.utf8) + [0, 9, 10, 31, 127, 0xc3, 0xff, 0xef]
    var refused = 0
    for _ in 0..<250 {
      var body = Self.valid[generator.below(Self.valid.count)]
      for _ in 0...generator.below(4) {
        let position = generator.below(body.count)
        switch generator.below(5) {
        case 0: body[position] = alphabet[generator.below(alphabet.count)]
        case 1: body.insert(alphabet[generator.below(alphabet.count)], at: position)
        case 2: body.remove(at: position)
        case 3: body.removeSubrange(position..<min(position + generator.below(20), body.count))
        default: body.insert(contentsOf: body[position..<min(position + generator.below(30), body.count)], at: generator.below(body.count))
        }
        if body.isEmpty { body = [UInt8(ascii: "{")] }
      }
      do {
        var reader = RequestReader(body, maximumNesting: 64)
        let decoded = try generator.below(2) == 0 ? reader.readTransaction() : reader.readRange()
        // Whatever was made of it can be encoded, unless it is invalid.
        if (try? decoded.request.validate()) != nil { #expect((try? Request(decoding: decoded.request.encoded()[...])) == decoded.request) }
      } catch {
        refused += 1
        #expect(error.code == .invalidArgument || error.code == .unimplemented)
      }
    }
    #expect(refused > 50 && refused < 250)
  }

  /// Each of these has 1 MiB. Were the time quadratic in any of them, it would be hours.
  @Test(
    "Time is linear",
    arguments: [
      (#"{"x":["#, "{},"), (#"{"x":"#, "["), (#"{"x":{"#, #""y":1,"#), (#"{"x":""#, #"\u0041"#), (#"{"key":""#, #"\u0041"#),
      (#"{"limit":""#, "1"), (#"{"x":1"#, "0"), ("{", #""key2":"YQ==","#), (#"{"compare":["#, "{},"), ("{", " "), (#"{"key":""#, "YQ=\n"),
      (#"{""#, "k"), (#"{"sort_order":""#, "A"),
    ])
  func timeIsLinear(opening: String, filling: String) throws {
    let body = Array((opening + String(repeating: filling, count: (1 << 20) / filling.utf8.count)).utf8)
    var reader = RequestReader(body, maximumNesting: 64)
    let elapsed = ContinuousClock().measure { _ = try? reader.readTransaction() }
    var range = RequestReader(body, maximumNesting: 64)
    let rangeElapsed = ContinuousClock().measure { _ = try? range.readRange() }
    #expect(elapsed < .seconds(20) && rangeElapsed < .seconds(20))
  }
}

/// The same numbers for the same seed.
private struct SplitMix {
  var state: UInt64

  mutating func below(_ bound: Int) -> Int {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return Int((z ^ (z >> 31)) % UInt64(bound))
  }
}
