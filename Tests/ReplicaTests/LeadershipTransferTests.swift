import KeyValue
import Raft
import Replica
import Simulation
import Testing

/// Handing over leadership, as operators and clients see it.
@Suite struct LeadershipTransferTests {
  private static func cluster(seed: UInt64) throws -> SimulatedCluster<KeyValueMachine> {
    let cluster = SimulatedCluster<KeyValueMachine>(names: ["a", "b", "c"], seed: seed)
    try cluster.startAll()
    #expect(cluster.run(within: .milliseconds(10_000)) { cluster.leader != nil })
    cluster.run(for: .milliseconds(1000))
    return cluster
  }

  @Test(arguments: 1...5 as ClosedRange<UInt64>) func leadershipGoesWhereItIsAskedTo(seed: UInt64) throws {
    let cluster = try Self.cluster(seed: seed)
    for target in ["a", "b", "c", "a"] {
      let leader = try #require(cluster.leader)
      let request = cluster.operate(.transfer(to: cluster.identity(of: target)), on: leader)
      let done = cluster.run(within: .milliseconds(500)) { cluster.operatorOutcomes.last?.id == request }
      #expect(done && cluster.operatorOutcomes.last?.error == nil)
      #expect(cluster.leader == target)
      cluster.run(for: .milliseconds(200))
    }
    #expect(cluster.violations.isEmpty)
  }

  @Test func aCommandThatComesMeanwhileIsDoneByTheNewLeader() throws {
    let cluster = try Self.cluster(seed: 7)
    let leader = try #require(cluster.leader)
    let other = cluster.names.first { $0 != leader } ?? ""
    _ = cluster.operate(.transfer(to: cluster.identity(of: other)), on: leader)
    let command = Request.put(PutRequest(key: [1], value: [2])).encoded()
    let requests = cluster.names.map { cluster.propose(command, on: $0) }
    #expect(cluster.run(within: .milliseconds(1500)) { requests.allSatisfy { cluster.outcome(of: $0) != nil } })
    for request in requests {
      guard case .applied(.success) = cluster.outcome(of: request) else { return #expect(Bool(false), "a command was lost") }
    }
    #expect(cluster.leader == other)
  }

  @Test func aTargetThatIsDownIsNamedInTheError() throws {
    let cluster = try Self.cluster(seed: 3)
    let leader = try #require(cluster.leader)
    let other = try #require(cluster.names.first { $0 != leader })
    cluster.crash(other)
    cluster.run(for: .milliseconds(1000))
    let target = try #require(cluster.identity(of: other))
    _ = cluster.operate(.transfer(to: target), on: leader)
    #expect(cluster.operatorOutcomes.last?.error == RequestError(.refused(.unreachable(target)), outcome: .notDone))
    let follower = try #require(cluster.names.first { $0 != leader && $0 != other })
    _ = cluster.operate(.transfer(to: target), on: follower)
    #expect(cluster.operatorOutcomes.last?.error?.reason == .refused(.notLeader(leader: cluster.identity(of: leader))))
  }

  @Test func aTransferThatFailsLetsWritesGoOn() throws {
    let cluster = try Self.cluster(seed: 4)
    let leader = try #require(cluster.leader)
    let other = try #require(cluster.names.first { $0 != leader })
    let target = try #require(cluster.identity(of: other))
    cluster.pause(other)
    _ = cluster.operate(.transfer(to: target), on: leader)
    let command = Request.put(PutRequest(key: [1], value: [2])).encoded()
    let request = cluster.propose(command, on: leader)
    cluster.run(for: .milliseconds(400))
    #expect(cluster.outcome(of: request) == nil, "it waits for the transfer")
    #expect(cluster.run(within: .milliseconds(300)) { cluster.outcome(of: request) != nil })
    #expect(cluster.operatorOutcomes.last?.error?.reason == .refused(.transferTimedOut(target)))
  }
}
