import KeyValue
import Raft
import Replica
import Testing

@testable import EtcdAPI

/// Changes of the members, as etcd's gateway has them.
@Suite struct MemberTests {
  private let service = ModelService()
  private var gateway: Gateway { Gateway(service: service, settings: GatewaySettings()) }

  private func answer(_ path: String, _ body: String) throws -> GatewayResponse {
    try #require(gateway.answer("/v3/" + path, body))
  }

  private static let member = Member(id: NodeID(.max), name: "d", peerAddress: "d:2380", clientAddress: "d:2379")
  private static let fields = #""ID":"18446744073709551615","name":"d","peerURLs":["http://d:2380"],"clientURLs":["http://d:2379"]"#

  @Test(arguments: [
    ("", Learner.Promotion.whenCaughtUp), (#","isLearner":true"#, .onRequest), (#","replaces":"7""#, .replacing(NodeID(7))),
  ])
  func aNodeIsAdded(more: String, promotion: Learner.Promotion) throws {
    let response = try answer("cluster/member/add", "{\(Self.fields)\(more)}")
    #expect(response.status == 200)
    #expect(response.text.contains(#""member":{"ID":"18446744073709551615","name":"d","peerURLs":["http://d:2380"]"#))
    #expect(service.operations == [.add(Learner(Self.member, promotion))])
  }

  @Test func aLeaderSaysHowItsFollowersFare() throws {
    service.behave {
      $0.followers = [
        FollowerStatus(node: NodeID(7), lagEntries: 0, lag: .zero, timeSinceContact: .milliseconds(3), receivesSnapshot: false),
        FollowerStatus(
          node: NodeID(.max), lagEntries: 12, lag: .milliseconds(2500), timeSinceContact: .seconds(60), receivesSnapshot: true),
      ]
    }
    let followers =
      #""followers":[{"ID":"7","contactMilliseconds":"3"},{"ID":"18446744073709551615","lagEntries":"12","#
      + #""lagMilliseconds":"2500","contactMilliseconds":"60000","receivesSnapshot":true}]"#
    #expect(try answer("maintenance/status", "{}").text.contains(followers))
  }

  @Test func othersAreAskedForByIdentity() throws {
    for call in ["remove", "promote"] { #expect(try answer("cluster/member/\(call)", #"{"ID":"5"}"#).status == 200) }
    #expect(try answer("cluster/member/update", #"{"ID":5,"peerURLs":["http://e:1"]}"#).status == 200)
    #expect(try answer("maintenance/transfer-leadership", #"{"targetID":"5"}"#).status == 200)
    #expect(try answer("maintenance/transfer-leadership", "{}").status == 200)
    #expect(
      service.operations == [
        .remove(NodeID(5)), .promote(NodeID(5)), .update(NodeID(5), peerAddress: "e:1", clientAddress: ""), .transfer(to: NodeID(5)),
        .transfer(to: nil),
      ])
  }

  @Test(arguments: [
    ("cluster/member/add", #"{"peerURLs":["http://d:1"]}"#), ("cluster/member/add", #"{"ID":"5","name":"d"}"#),
    ("cluster/member/add", #"{"ID":"5","name":"d","peerURLs":["d:1"]}"#),
    ("cluster/member/add", #"{"ID":"5","name":"d","peerURLs":["http://d:1/x"]}"#),
    ("cluster/member/add", #"{"ID":"5","name":"d","peerURLs":["http://d:1","http://e:1"]}"#),
    ("cluster/member/add", #"{"ID":"5","name":"d","peerURLs":["http://d:+1"]}"#),
    ("cluster/member/add", #"{"ID":"5","name":"d","peerURLs":["http://::1:1"]}"#),
    ("cluster/member/add", #"{"ID":"5","name":"d","peerURLs":["http://a\\b:1"]}"#),
    ("cluster/member/add", #"{"ID":"5","name":"d","peerURLs":["http://[]:1"]}"#),
    ("cluster/member/add", #"{"ID":"5","name":"d\n","peerURLs":["http://d:1"]}"#),
    ("cluster/member/add", #"{"ID":"5","name":"\#(String(repeating: "d", count: 65))","peerURLs":["http://d:1"]}"#),
    ("cluster/member/add", #"{"ID":"-5","name":"d","peerURLs":["http://d:1"]}"#), ("cluster/member/remove", "{}"),
    ("cluster/member/update", #"{"ID":"5"}"#), ("cluster/member/remove", #"{"ID":"18446744073709551616"}"#),
    ("maintenance/transfer-leadership", #"{"targetID":"x"}"#), ("cluster/member/promote", #"{"ID":[]}"#), ("cluster/member/add", "["),
  ])
  func whatMakesNoSenseIsRefused(path: String, body: String) throws {
    let response = try answer(path, body)
    #expect(response.status == 400 || response.status == 404, "\(response.text)")
    #expect(service.operations.isEmpty)
  }

  @Test(arguments: [
    (OperatorError.notLeader(leader: NodeID(3)), 9, "etcdserver: not leader"),
    (.unknownMember(NodeID(3)), 5, "etcdserver: member not found"),
    (.lags(NodeID(3)), 9, "etcdserver: can only promote a learner member which is in sync with leader"),
    (.formerMember(NodeID(3)), 9, "etcdserver: member ID already exist"), (.leadershipLost, 14, "etcdserver: leader changed"),
  ])
  func refusalsHaveEtcdsTexts(error: OperatorError, code: Int, text: String) throws {
    let outcome: RequestError.Outcome = error.isOutcomeUnknown ? .unknown : .notDone
    service.behave { $0.operated = .failure(RequestError(.refused(error), outcome: outcome)) }
    let response = try answer("cluster/member/remove", #"{"ID":"5"}"#)
    #expect(response.text.hasPrefix(#"{"error":"\#(text)","code":\#(code),"#), "\(response.text)")
    #expect(response.text.contains(outcome == .unknown ? #""outcome":"unknown""# : #""outcome":"not done""#))
  }
}
