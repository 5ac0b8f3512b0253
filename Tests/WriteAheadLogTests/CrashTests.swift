import Raft
import Simulation
import Testing
import WriteAheadLog

/// Cuts the power, or ends the process, after each single operation of a script, and compares what is recovered with two images: what had
/// been acknowledged as durable, and what had been asked for.
@Suite struct CrashTests {
  enum Step {
    case append([LogWrite])
    case sync
    case cut(LogIndex)
  }

  /// Batches of one and of several sectors, rolls, replaced suffixes (across segments too), a reset, cuts, changes of term.
  static let script: [Step] = [
    .append([write(1...3, commit: 1)]), .sync,
    .append([
      LogWrite(sequence: 1, hardState: HardState(term: 2, vote: NodeID(7)), entries: entries(4...6, term: 2, size: 350), commit: 3)
    ]), .sync,
    .append([write(7...12, term: 2, size: 450, commit: 6)]),
    .append([write(13...14, term: 2, size: 100, commit: 7)]), .sync,
    .append([write(9...11, term: 3, size: 400, commit: 8), write(12...16, term: 3, size: 600, commit: 11)]), .sync,
    .cut(8),
    .append([LogWrite(sequence: 2, hardState: HardState(term: 4)), write(17...26, term: 4, size: 750, commit: 18)]), .sync,
    .append([write(24...30, term: 5, size: 700, commit: 26), write(27...32, term: 6, size: 700, commit: 31)]), .sync,
    .cut(23),
    .append([LogWrite(sequence: 3, reset: LogPosition(index: 40, term: 6), entries: entries(41...44, term: 6, size: 300), commit: 42)]),
    .sync,
    .cut(40),
    .append([write(45...45, term: 6, size: 2500, commit: 45)]), .sync,
  ]

  /// The entries that the script commits, by index: those that the log held when their commit index came.
  static let committed: [LogIndex: Entry] = {
    var images = Images()
    var committed: [LogIndex: Entry] = [:]
    for case .append(let writes) in script {
      for write in writes {
        images.will(.append([write]))
        for entry in images.states[images.states.count - 1].entries where entry.index <= write.commit { committed[entry.index] = entry }
      }
    }
    return committed
  }()

  /// A state of the log that recovery may find.
  struct State {
    /// Entries up to here may be gone: a snapshot holds them.
    var floor: LogIndex = 0
    var entries: [Entry] = []

    func matches(_ recovered: DurableState) -> Bool {
      guard recovered.start.index <= floor, recovered.last.index >= floor || entries.isEmpty else { return false }
      return recovered.entries.filter { $0.index > floor } == entries.filter { $0.index > floor }
    }
  }

  /// What was asked for and what was promised.
  struct Images {
    /// From the durable one to the live one.
    var states = [State()]
    var durableHardState = HardState()
    var liveHardState = HardState()

    mutating func will(_ step: Step) {
      switch step {
      case .append(let writes):
        for write in writes {
          if let hardState = write.hardState { liveHardState = hardState }
          if let position = write.reset { states.append(State(floor: position.index)) }
          for entry in write.entries {
            var next = states[states.count - 1]
            next.entries.removeAll { $0.index >= entry.index }
            next.entries.append(entry)
            states.append(next)
          }
        }
      case .sync: break
      case .cut(let index):
        for i in states.indices { states[i].floor = max(states[i].floor, index) }
      }
    }

    mutating func did(_ step: Step) {
      switch step {
      case .append: durableHardState = liveHardState
      case .sync, .cut: states = [states[states.count - 1]]
      }
    }

    func allow(_ recovered: DurableState) -> Bool {
      [durableHardState, liveHardState].contains(recovered.hardState) && states.contains { $0.matches(recovered) }
        && recovered.commit <= recovered.last.index
        && recovered.entries.allSatisfy { $0.index > recovered.commit || $0 == CrashTests.committed[$0.index] }
    }
  }

  static func run(on disk: SimulatedDisk, _ images: inout Images) throws(StorageError) {
    var (log, _) = try Log.open(disk, identity: me, options: small)
    for step in script {
      images.will(step)
      switch step {
      case .append(let writes): try log.append(writes)
      case .sync: try log.sync()
      case .cut(let index): try log.compact(through: index)
      }
      images.did(step)
    }
  }

  static let operations: Int = {
    let disk = SimulatedDisk()
    var images = Images()
    try? run(on: disk, &images)
    return disk.operationCount
  }()

  @Test func theScriptRuns() throws {
    var images = Images()
    let disk = SimulatedDisk()
    try Self.run(on: disk, &images)
    #expect(images.states.count == 1)
    let recovered = try recover(disk).get()
    #expect(images.allow(recovered) && recovered.commit == 45)
    #expect(Self.operations > 60)
  }

  @Test func theEndOfTheProcessAfterEachOperation() throws {
    for operation in 0...Self.operations {
      let disk = SimulatedDisk()
      var images = Images()
      disk.powerFailsAfter = operation
      try? Self.run(on: disk, &images)
      disk.crash()
      let recovered = try recover(disk).get()
      #expect(images.allow(recovered), "after operation \(operation)")
      // What recovery gave back is durable.
      var random = PseudoRandom(seed: UInt64(operation))
      disk.losePower(using: &random)
      let again = try recover(disk).get()
      #expect(again.entries == recovered.entries && again.hardState == recovered.hardState, "after operation \(operation)")
    }
  }

  @Test(arguments: 0..<8) func theLossOfPowerAfterEachOperation(seed: UInt64) throws {
    for operation in 0...Self.operations { try losePower(after: operation, seed: seed) }
  }

  /// The files of a new log appear one after the other: few operations, many orders.
  @Test(arguments: 100..<140) func theLossOfPowerWhileALogIsMade(seed: UInt64) throws {
    for operation in 0..<16 { try losePower(after: operation, seed: seed) }
  }

  private func losePower(after operation: Int, seed: UInt64) throws {
    var random = PseudoRandom(seed: seed << 32 | UInt64(operation))
    let disk = SimulatedDisk()
    var images = Images()
    disk.powerFailsAfter = operation
    try? Self.run(on: disk, &images)
    if random.below(4) == 0 { disk.crash() } else { disk.losePower(using: &random) }
    // Again within recovery, once or twice.
    for _ in 0..<random.below(3) {
      disk.powerFailsAfter = disk.operationCount + Int(random.below(30))
      _ = recover(disk)
      if random.below(2) == 0 { disk.crash() } else { disk.losePower(using: &random) }
    }
    let result = recover(disk)
    guard case .success(let recovered) = result, images.allow(recovered) else {
      Issue.record("after operation \(operation), seed \(seed): \(result)")
      return
    }
    // The node goes on from there.
    var (log, _) = try open(disk)
    let next = entry(log.lastIndex + 1, term: 9)
    try log.append([LogWrite(sequence: 1, entries: [next])])
    try log.sync()
    disk.losePower(using: &random)
    #expect(try recover(disk).get().entries == recovered.entries + [next])
    #expect(disk.misuses.isEmpty)
  }
}
