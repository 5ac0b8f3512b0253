import ArgumentParser
import Coracle
import Testing

@testable import Server

@Suite struct MemberCommandTests {
  private static let answer = """
    {"header":{"member_id":"10"},"members":[
    {"ID":"161","name":"a","peerURLs":["http://a:2380"],"clientURLs":["http://a:2379"]},
    {"ID":"177","name":"b","peerURLs":["http://[::1]:2380"],"clientURLs":["http://b:2379"],"isLearner":true}]}
    """

  private var members: MembersAnswer { get throws { try MembersAnswer(answer: Array(Self.answer.utf8)) } }

  @Test func membersAreNamedByNameOrIdentity() throws {
    #expect(try members.id(of: "b") == 177)
    #expect(try members.id(of: "00000000000000a1") == 161)
    let error = #expect(throws: ClientError.self) { try members.id(of: "c") }
    #expect(error?.description == "no member is called c: there are a, b")
    #expect(throws: ClientError.self, "nobody has this identity") { try members.id(of: "00000000000000ff") }
  }

  @Test func everybodyIsShown() throws {
    #expect(
      try members.table == """
        NAME  ID                ROLE     PEER ADDRESS  CLIENT ADDRESS
        a     00000000000000a1  voter    a:2380        a:2379
        b     00000000000000b1  learner  [::1]:2380    b:2379
        """)
  }

  @Test func theLeaderIsLookedForAtEveryMember() throws {
    let given = [try HostPort("b:2379"), try HostPort("elsewhere:1")]
    #expect(try members.endpoints(after: given).map(\.description) == ["b:2379", "elsewhere:1", "a:2379"])
    #expect(try members.peerAddresses.map(\.description) == ["a:2380", "[::1]:2380"])
  }

  @Test(arguments: [
    ["member", "add", "--id", "xyz", "--name", "d", "--peer-address", "d:1"], ["member", "remove"], ["join", "nowhere"],
    ["join", "a:1", "--initial-cluster", "a=b:1"], ["transfer", "--timeout", "0"],
  ])
  func wrongUsageIsRefused(arguments: [String]) {
    #expect {
      _ = try CoracleCommand.parseAsRoot(arguments)
    } throws: {
      CoracleCommand.exitCode(for: $0) == .validationFailure
    }
  }
}
