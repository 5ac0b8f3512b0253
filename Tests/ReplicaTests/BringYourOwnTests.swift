import ByteCoding
import Raft
import Replica
import Simulation
import Testing

/// A state machine as a user would write one: `README.md` and `Docs/Simulation.md` quote this file.
struct Tally: StateMachine, SnapshotSource {
  typealias View = Tally
  private(set) var total: UInt64 = 0

  init() {}

  /// A command is one byte, which is added; the answer is the sum, or `nil` for a command that is none.
  mutating func apply(_ commands: [Command]) -> [UInt64?] {
    commands.map { command in
      guard command.payload.count == 1, let amount = command.payload.first else { return nil }
      total &+= UInt64(amount)
      return total
    }
  }

  func makeBlocks() -> CollectionOfOne<[UInt8]>.Iterator {
    var writer = ByteWriter()
    writer.write(total)
    return CollectionOfOne(writer.bytes).makeIterator()
  }

  init(restoring blocks: inout SnapshotBlocks) throws(MalformedBytes) {
    var reader = ByteReader(try blocks.next())
    total = try reader.readUInt64()
    try reader.expectEnd()
  }
}

/// What clients ask of it: that is all that the swarm needs to know.
struct TallyClients: Workload {
  typealias Machine = Tally

  func operation(_ number: UInt64, seeing view: Tally, using random: inout PseudoRandom) -> ClientOperation {
    random.chance(1, in: 5) ? .read : .command([UInt8(random.below(100))], label: "add")
  }
}

@Suite struct BringYourOwnTests {
  @Test(arguments: 1...3 as ClosedRange<UInt64>) func noFaultBreaksTheTally(seed: UInt64) {
    let report = Run<TallyClients>(Story(seed: seed, lasting: .milliseconds(10_000))).run()
    #expect(report.violations.isEmpty)
    #expect(report.completed > 20)
  }

  @Test(arguments: 1...20 as ClosedRange<UInt64>)
  func theTallySurvivesAndCountsNothingTwice(seed: UInt64) throws {
    let cluster = SimulatedCluster<Tally>(names: ["a", "b", "c"], seed: seed)
    cluster.network.duplicatesPerMille = 200
    try cluster.startAll()
    #expect(cluster.run(within: .milliseconds(10_000)) { cluster.leader != nil })

    let request = cluster.propose([3], on: "b")
    #expect(cluster.run(within: .milliseconds(2000)) { cluster.outcome(of: request) != nil })
    guard case .applied(3?) = cluster.outcome(of: request) else {
      Issue.record("not applied: \(String(describing: cluster.outcome(of: request)))")
      return
    }

    for name in cluster.names { cluster.losePower(name) }
    try cluster.startAll()
    let isThere = cluster.run(within: .milliseconds(10_000)) { cluster.names.allSatisfy { cluster.view(of: $0)?.total == 3 } }
    #expect(isThere)
    #expect(cluster.violations.isEmpty)
  }

  @Test func bytesThatMeanNothingAreAnswered() throws {
    let cluster = SimulatedCluster<Tally>(names: ["only"], seed: 1)
    try cluster.startAll()
    let request = cluster.propose([1, 2], on: "only")
    #expect(cluster.run(within: .milliseconds(1000)) { cluster.outcome(of: request) != nil })
    guard case .applied(nil) = cluster.outcome(of: request) else {
      Issue.record("a command of two bytes was counted")
      return
    }
  }
}
