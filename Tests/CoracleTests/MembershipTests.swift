import Coracle
import KeyValue
import Raft
import Replica
import Testing

/// Members that come and go, on real nodes in one process.
@Suite(.serialized, .timeLimit(.minutes(10))) struct MembershipTests {
  @Test func aNodeJoinsTakesOverAndTheOtherLeaves() async throws {
    try await withTemporaryDirectory { path in
      let first = try await RunningNode(try single(in: path + "/a"))
      try await first.store.put("k", "v")
      var configuration = try single(in: path + "/b", name: "b")
      configuration.join = [try #require(first.peerAddress)]
      let second = try await RunningNode(configuration)
      #expect(try await eventually { second.status.cluster == first.status.cluster && first.status.cluster != nil })
      #expect(second.status.configuration?.isMember(second.status.node) != true, "nobody asked for it yet")

      let address = try #require(second.peerAddress).description
      let member = Member(id: second.status.node, name: "b", peerAddress: address, clientAddress: "")
      try await first.node.perform(.add(Learner(member, .whenCaughtUp)))
      #expect(try await eventually { second.status.configuration?.isVoter(member.id) == true }, "it has caught up")
      #expect(try await second.store.get("k", consistency: .serializable)?.valueText == "v")

      let refusal = await #expect(throws: RequestError.self) { try await second.node.perform(.remove(member.id)) }
      #expect(refusal == RequestError(.refused(.notLeader(leader: first.status.node)), outcome: .notDone))
      try await first.node.perform(.transfer(to: member.id))
      #expect(try await eventually { second.status.role == .leader })

      // Not before it knows what the leader before it committed.
      #expect(try await eventually { try await isDone { try await second.node.perform(.remove(first.status.node)) } })
      await #expect(throws: NodeError.removed) { try await first.end.value }
      try await second.store.put("k", "w")
      #expect(second.status.members.map(\.name) == ["b"])
      try await second.stop()

      let again = try await RunningNode(configuration)
      #expect(try await again.store.get("k")?.valueText == "w")
      try await again.stop()
    }
  }

  private func isDone(_ operation: () async throws -> Void) async throws -> Bool {
    do {
      try await operation()
      return true
    } catch let error as RequestError where error.reason == .refused(.notReady) {
      return false
    }
  }

  @Test func aLeaderThatStopsHandsOver() async throws {
    try await withTemporaryDirectory { path in
      let first = try await RunningNode(try single(in: path + "/a"))
      try await first.store.put("k", "v")
      var others: [RunningNode] = []
      for name in ["b", "c"] {
        var configuration = try single(in: path + "/" + name, name: name)
        configuration.join = [try #require(first.peerAddress)]
        // Nobody stands by itself within this test.
        configuration.settings.raft.electionTimeout = .seconds(60)
        let node = try await RunningNode(configuration)
        #expect(try await eventually { node.status.cluster != nil })
        let address = try #require(node.peerAddress).description
        let member = Member(id: node.status.node, name: name, peerAddress: address, clientAddress: "")
        try await first.node.perform(.add(Learner(member, .whenCaughtUp)))
        #expect(try await eventually { node.status.configuration?.isVoter(member.id) == true })
        others.append(node)
      }
      try await first.stop()
      #expect(others.contains { $0.status.role == .leader }, "before it had stopped")
      try await others[0].store.put("k", "w")
      for node in others { node.end.cancel() }
      for node in others { try await node.end.value }
    }
  }
}
