import ByteCoding
import Raft
import Replica
import WriteAheadLog

/// Three whole replicas in memory, which send each other encoded frames; disks answer at once. The state machine does nothing.
enum ReplicaBenchmarks {
  static let all = [1, 10, 100, 1000, 10_000].flatMap { batch in
    [("leader", 0), ("follower", 1)].map { role, node in
      Benchmark(name: "replica, \(role), batches of \(batch)", operation: "entry", operations: 50_000) { entries in
        var cluster = try MemoryCluster()
        return try cluster.replicate(batch: batch, batches: max(1, entries / batch), measuring: node)
      }
    }
  }
}

/// Counts the bytes of its commands.
private struct ByteCounter: StateMachine, SnapshotSource {
  typealias View = ByteCounter
  private var count = 0

  init() {}

  mutating func apply(_ commands: [Command]) -> [Int] {
    commands.map { command in
      count += command.payload.count
      return count
    }
  }

  func makeBlocks() -> CollectionOfOne<[UInt8]>.Iterator { CollectionOfOne([1]).makeIterator() }

  init(restoring blocks: inout SnapshotBlocks) throws(MalformedBytes) { _ = try blocks.next() }
}

private struct MemoryCluster {
  private var nodes: [ReplicaCore<ByteCounter>]
  private var effects: [ReplicaEffects<ByteCounter>]
  /// What each node is to be told in its next turn.
  private var inboxes: [[ReplicaEvent<ByteCounter>]]
  private var durations: [Duration]
  private var answers = 0
  private var now = Instant.zero
  private let clock = ContinuousClock()

  /// The first one leads.
  init() throws {
    nodes = try CoreBenchmarks.nodes.map(Self.node)
    effects = nodes.map { _ in ReplicaEffects() }
    inboxes = nodes.map { _ in [] }
    durations = nodes.map { _ in .zero }
    for _ in 0..<100 where nodes[0].status.role != .leader {
      now = nodes[0].deadline
      inboxes[0].append(.tick)
      settle()
    }
    try WrongResult.check(nodes[0].status.role == .leader, "the first replica does not lead")
    durations = nodes.map { _ in .zero }
  }

  private static func node(_ id: NodeID) throws -> ReplicaCore<ByteCounter> {
    let member = CoreBenchmarks.configuration.member(id)
    let first = Entry(index: 1, term: 1, kind: .configuration, payload: CoreBenchmarks.configuration.encoded()[...])
    var settings = ReplicaSettings()
    settings.maximumPendingRequests = 1 << 20
    settings.maximumPendingBytes = 1 << 30
    settings.snapshotAfterBytes = 1 << 40
    return try ReplicaCore(
      identity: IdentityRecord(node: id, name: member?.name ?? "", phase: .formed(CoreBenchmarks.configuration)),
      peerInfo: PeerInfo(name: member?.name ?? "", peerAddress: member?.peerAddress ?? "", clientAddress: "c"),
      recovered: DurableState(hardState: HardState(term: 1), start: .zero, entries: [first], commit: 1), snapshot: nil,
      machine: ByteCounter(), settings: settings, seed: id.rawValue, now: .zero)
  }

  mutating func replicate(batch: Int, batches: Int, measuring node: Int) throws -> Benchmark.Round {
    let before = answers
    let deadline = Instant(nanoseconds: .max)
    var request: RequestID = 0
    for _ in 0..<batches {
      for _ in 0..<batch {
        request += 1
        inboxes[0].append(.propose(request, command: CoreBenchmarks.payload, deadline: deadline))
      }
      settle()
    }
    try WrongResult.check(answers - before == batch * batches, "\(answers - before) of \(batch * batches) requests are answered")
    return Benchmark.Round(operations: batch * batches, duration: durations[node])
  }

  /// Turn after turn, until no node has anything to do.
  private mutating func settle() {
    while inboxes.contains(where: { !$0.isEmpty }) {
      let events = inboxes
      for node in inboxes.indices { inboxes[node].removeAll(keepingCapacity: true) }
      for node in events.indices where !events[node].isEmpty { turn(node, events[node]) }
    }
  }

  private mutating func turn(_ node: Int, _ events: [ReplicaEvent<ByteCounter>]) {
    effects[node].removeAll()
    durations[node] += clock.measure {
      for event in events { nodes[node].step(event, now: now, into: &effects[node]) }
      nodes[node].endTurn(now: now, into: &effects[node])
    }
    if let write = effects[node].writes.last { inboxes[node].append(.written(through: write.sequence)) }
    for reply in effects[node].replies { if case .applied = reply { answers += 1 } }
    for (destination, _, frame) in effects[node].frames {
      guard case .address(let address) = destination, let number = Int(address) else { continue }
      inboxes[number - 1].append(.frame(frame[...], connection: UInt64(node)))
    }
  }
}
