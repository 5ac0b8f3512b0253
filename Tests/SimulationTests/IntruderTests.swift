import KeyValue
import Raft
import Replica
import Testing

@testable import Simulation

/// Who is no member, or not who it says, is of no avail; and a node that heeds one is found out.
@Suite struct IntruderTests {
  /// Three nodes that serve.
  private static func started() throws -> SimulatedCluster<KeyValueMachine> {
    let cluster = SimulatedCluster<KeyValueMachine>(names: ["a", "b", "c"], seed: 4)
    cluster.showsCertificates = true
    try cluster.startAll()
    #expect(cluster.run(within: .milliseconds(10_000)) { cluster.leader != nil })
    cluster.run(for: .milliseconds(500))
    return cluster
  }

  private static func heartbeat(from sender: NodeID, to receiver: NodeID, of cluster: ClusterID?, term: Term) -> Frame {
    let message = Message(from: sender, to: receiver, term: term, body: .heartbeat(round: 1, commit: 1, confirmed: 1))
    return Frame(cluster: cluster, from: sender, to: receiver, body: .message(message))
  }

  /// A heartbeat of the highest term, in the name of somebody, to all.
  private func shout(_ intruder: Intruder, _ proof: PeerProof, from sender: NodeID, in cluster: SimulatedCluster<KeyValueMachine>) throws {
    for name in cluster.names {
      let receiver = try #require(cluster.identity(of: name))
      let frame = Self.heartbeat(from: sender, to: receiver, of: cluster.status(of: name)?.cluster, term: 1 << 62)
      cluster.intrude(Intrusion(intruder: intruder, proof: proof, frame: frame), on: name)
    }
    cluster.run(for: .milliseconds(3000))
  }

  @Test func whoIsNotWhomItsConnectionHasShownIsNotHeard() throws {
    let cluster = try Self.started()
    let leader = try #require(cluster.leader)
    let (term, id) = (cluster.status(of: leader)?.term, try #require(cluster.identity(of: leader)))
    let other = try #require(cluster.names.first { $0 != leader }.flatMap { cluster.identity(of: $0) })
    try shout(.stranger, .nobody, from: id, in: cluster)
    try shout(.impostor, .node(other), from: id, in: cluster)
    #expect(cluster.coverage[.strangerRefused] == 3 && cluster.coverage[.impostorRefused] == 3)
    #expect(cluster.leader == leader && cluster.status(of: leader)?.term == term)
    #expect(cluster.violations.isEmpty)
  }

  /// Over plain text nothing is known of a sender: so it would be without the look at the certificate.
  @Test func aNodeThatHeedsAnImpostorIsFound() throws {
    let cluster = try Self.started()
    let sender = try #require(cluster.leader.flatMap { cluster.identity(of: $0) })
    try shout(.impostor, .plainText, from: sender, in: cluster)
    #expect(cluster.violations.first?.checker == .authenticity)
    #expect(cluster.violations.first?.text.contains("heeds what the impostor says: heartbeat") == true)
  }

  @Test func whoLeftDeposesNobody() throws {
    let cluster = try Self.started()
    let leader = try #require(cluster.leader)
    let former = try #require(cluster.names.first { $0 != leader })
    let id = try #require(cluster.identity(of: former))
    _ = cluster.operate(.remove(id), on: leader)
    cluster.run(for: .milliseconds(1000))
    let term = cluster.status(of: leader)?.term
    try shout(.former, .node(id), from: id, in: cluster)
    #expect(cluster.coverage[.formerMemberRefused] >= 2)
    #expect(cluster.leader == leader && cluster.status(of: leader)?.term == term)
    #expect(cluster.violations.isEmpty)
  }

  /// Every kind of them meets nodes in a few runs, and nobody heeds any.
  @Test func runsMeetThemAll() {
    var sum = RunReport()
    let stories = (1...200 as ClosedRange<UInt64>).lazy.map { Story(seed: $0, lasting: .milliseconds(20_000)) }
    for story in stories.filter({ $0.hasIntruders && $0.changesMembers }).prefix(4) {
      let report = story.runKeyValue()
      #expect(report.violations.isEmpty)
      sum.add(report)
    }
    for intruder in Intruder.allCases { #expect(sum.coverage[intruder.refusal] > 0, "\(intruder)") }
  }
}
