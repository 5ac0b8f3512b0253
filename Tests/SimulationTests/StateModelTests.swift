import ByteCoding
import KeyValue
import Raft
import Replica
import Testing

@testable import Simulation

/// The checkers that hold a state machine against a model, and its snapshots against itself: each rule broken by hand.
@Suite struct StateModelTests {
  private static func entry(_ index: LogIndex, _ command: [UInt8]) -> Entry {
    Entry(
      index: index, term: 1, kind: .command,
      payload: Proposal(origin: NodeID(1), request: index, command: command[...]).encoded())
  }

  private static func oracle<Clients: Workload>(of: Clients.Type, committed commands: [[UInt8]]) -> Oracle<Clients> {
    var oracle = Oracle<Clients>()
    for command in commands { oracle.commit(entry(oracle.lastIndex + 1, command), at: .zero) }
    return oracle
  }

  private static func put(_ key: String, _ value: String = "v") -> Request {
    .put(PutRequest(key: Array(key.utf8), value: Array(value.utf8)))
  }

  private static let changes: [Request] = [
    put("a"), put("b"), put("a", "w"),
    .transaction(TransactionRequest(success: [.transaction(TransactionRequest(success: [put("c")]))])),
    .delete(DeleteRequest(range: KeyRange(Array("b".utf8)), previous: true)),
  ]

  private static func checkers<Clients: Workload>(_ clients: Clients.Type) -> [Violation.Checker] {
    oracle(of: clients, committed: changes.map { $0.encoded() }).violations.map(\.checker)
  }

  // MARK: The model

  @Test func acceptsTheStore() { #expect(Self.checkers(KeyValueWorkload.self).isEmpty) }

  @Test func namesATransactionWhoseInnerOnesMakeNoRevision() {
    #expect(Self.checkers(Clients<Stuck>.self) == [.model])
  }

  @Test func namesAnAnswerThatTheModelDoesNotGive() {
    let oracle = Self.oracle(of: Clients<Lazy>.self, committed: Self.changes.map { $0.encoded() })
    #expect(oracle.violations.map(\.checker) == [.model])
    // The delete with the pair before is the one that is answered wrong.
    #expect(oracle.violations.first?.text.contains("entry 5, delete b") == true)
  }

  @Test func namesAReadThatTheModelDoesNotGive() {
    var oracle = Self.oracle(of: ModelledTallies.self, committed: [[3], [4]])
    #expect(oracle.violations.isEmpty)
    for (request, query) in [(8, []), (9, [UInt8(1)])] as [(RequestID, [UInt8])] {
      oracle.ask(request, lookingFor: query)
      oracle.answer(request, .view(oracle.view, index: 2, staleness: nil), at: .zero)
      // What it looks for is what the model objects to.
      #expect(oracle.violations.count == query.count)
    }
    #expect(oracle.violations.first?.checker == .model)
    #expect(oracle.violations.first?.text.contains("read 9") == true)
  }

  /// The answers are right, what is left is not: found when the whole state is looked at.
  @Test func namesAStateThatTheModelDoesNotHave() {
    var oracle = Oracle<ModelledTallies>()
    for _ in 0..<40 { oracle.commit(Self.entry(oracle.lastIndex + 1, [1]), at: .zero) }
    #expect(oracle.violations.isEmpty)
    oracle.commit(Self.entry(41, [ModelledTallies.Model.lost]), at: .zero)
    #expect(oracle.violations.isEmpty)
    oracle.compareWithModel(oracle.view, 41, "the log", at: .zero)
    #expect(oracle.violations.map(\.checker) == [.model])
    for _ in 0..<32 { oracle.commit(Self.entry(oracle.lastIndex + 1, [1]), at: .zero) }
    #expect(oracle.violations.count == 2)
  }

  @Test func aRunWithABrokenStoreIsCondemned() {
    let stories = (1...4 as ClosedRange<UInt64>).map { Story(seed: $0 * 8 + 3, nodes: 3, lasting: .milliseconds(5000)) }
    let found = stories.flatMap { Run($0, Clients<Stuck>($0.scale)).run().violations }
    #expect(found.contains { $0.checker == .model })
    #expect(stories.allSatisfy { Run($0, KeyValueWorkload($0.scale, searchingForOrder: false)).run().violations.isEmpty })
  }

  // MARK: Snapshots

  private static func afterSaving<Clients: Workload>(_ oracle: Oracle<Clients>) -> [Violation.Checker] {
    var oracle = oracle
    #expect(oracle.violations.isEmpty)
    oracle.saved(oracle.view, oracle.lastIndex, "the snapshot of node a", at: .zero)
    return oracle.violations.map(\.checker)
  }

  @Test func acceptsASnapshotOfTheStore() {
    var oracle = Self.oracle(of: KeyValueWorkload.self, committed: Self.changes.map { $0.encoded() })
    // One of an older state goes on with what was committed since.
    oracle.saved(oracle.states[2].view, 2, "the snapshot of node a", at: .zero)
    for index in 6...30 as ClosedRange<LogIndex> {
      oracle.commit(Self.entry(index, Self.put("a", "\(index)").encoded()), at: .zero)
      if index % 4 == 0 { oracle.saved(oracle.view, oracle.lastIndex, "the snapshot of node b", at: .zero) }
    }
    #expect(oracle.violations.isEmpty)
  }

  @Test func namesASnapshotThatForgets() {
    let checkers = Self.afterSaving(Self.oracle(of: Clients<Forgetful>.self, committed: Self.changes.dropLast(2).map { $0.encoded() }))
    #expect(checkers == [.snapshot, .snapshot, .model])
  }

  @Test func namesASnapshotThatCannotBeRestored() {
    let checkers = Self.afterSaving(Self.oracle(of: Clients<Illegible>.self, committed: Self.changes.map { $0.encoded() }))
    #expect(checkers == [.snapshot])
  }

  /// Its bytes are the same each time: only what it does afterwards gives it away.
  @Test func namesARestoredMachineThatGoesOnOtherwise() {
    var oracle = Self.oracle(of: ForgetfulClients.self, committed: [[200], [100]])
    oracle.saved(oracle.view, 2, "the snapshot of node a", at: .zero)
    #expect(oracle.violations.isEmpty)
    oracle.commit(Self.entry(3, [1]), at: .zero)
    #expect(oracle.violations.map(\.checker) == [.snapshot])
    #expect(oracle.violations.first?.text.contains("entry 3") == true)
  }

  @Test func goesOnWithWhatWasCommittedBefore() {
    var oracle = Self.oracle(of: ForgetfulClients.self, committed: [[200], [100], [1], [1]])
    oracle.saved(oracle.states[2].view, 2, "the snapshot of node a", at: .zero)
    #expect(oracle.violations.map(\.checker) == [.snapshot])
  }

  @Test func namesAnInstalledStateThatIsNotTheLogs() {
    var oracle = Self.oracle(of: KeyValueWorkload.self, committed: Self.changes.map { $0.encoded() })
    oracle.installed(oracle.states[3].view, 3, "node a", at: .zero)
    #expect(oracle.violations.isEmpty)
    oracle.installed(oracle.states[3].view, 4, "node a", at: .zero)
    #expect(Set(oracle.violations.map(\.checker)) == [.stateMachineSafety, .model])
  }
}

// MARK: Stores with a fault

/// What is wrong with a store.
protocol StoreFault: Sendable {
  static func output(of request: Request, _ output: KeyValueMachine.Output) -> KeyValueMachine.Output
  static func restore(_ blocks: inout SnapshotBlocks) throws(MalformedBytes) -> KeyValueMachine
}

extension StoreFault {
  static func output(of request: Request, _ output: KeyValueMachine.Output) -> KeyValueMachine.Output { output }
  static func restore(_ blocks: inout SnapshotBlocks) throws(MalformedBytes) -> KeyValueMachine { try KeyValueMachine(restoring: &blocks) }
}

/// A transaction whose inner ones alone change keys makes no revision.
enum Stuck: StoreFault {
  static func output(of request: Request, _ output: KeyValueMachine.Output) -> KeyValueMachine.Output {
    guard case .success(let answer) = output, case .transaction(_, let responses) = answer.result, answer.result.isChange else {
      return output
    }
    let changesItself = responses.contains { if case .transaction = $0 { false } else { $0.isChange } }
    return changesItself ? output : .success(Response(revision: answer.revision - 1, result: answer.result))
  }
}

/// A delete does not say what was there.
enum Lazy: StoreFault {
  static func output(of request: Request, _ output: KeyValueMachine.Output) -> KeyValueMachine.Output {
    guard case .success(let answer) = output, case .delete(let count, _) = answer.result else { return output }
    return .success(Response(revision: answer.revision, result: .delete(count: count, previous: [])))
  }
}

/// What is restored was made anew.
enum Forgetful: StoreFault {
  static func restore(_ blocks: inout SnapshotBlocks) throws(MalformedBytes) -> KeyValueMachine {
    var anew = KeyValueMachine()
    for pair in try KeyValueMachine(restoring: &blocks).view.pairs() {
      let put = Request.put(PutRequest(key: pair.key, value: pair.value)).encoded()
      _ = anew.apply([Command(index: 1, term: 1, payload: put[...])])
    }
    return anew
  }
}

enum Illegible: StoreFault {
  static func restore(_ blocks: inout SnapshotBlocks) throws(MalformedBytes) -> KeyValueMachine {
    try KeyValueMachine(restoring: [[UInt8](try blocks.next().dropLast(2))])
  }
}

struct FaultyStore<Fault: StoreFault>: StateMachine {
  private var store = KeyValueMachine()

  init() {}

  var view: KeyValueView { store.view }

  mutating func apply(_ commands: [Command]) -> [KeyValueMachine.Output] {
    zip(commands, store.apply(commands)).map { command, output in
      (try? Request(decoding: command.payload)).map { Fault.output(of: $0, output) } ?? output
    }
  }

  init(restoring blocks: inout SnapshotBlocks) throws(MalformedBytes) { store = try Fault.restore(&blocks) }
}

/// The usual clients, of a store with a fault.
struct Clients<Fault: StoreFault>: Workload {
  typealias Machine = FaultyStore<Fault>

  struct Model: StateModel {
    private var store = NaiveStore()

    mutating func apply(_ command: Command, answered output: KeyValueMachine.Output) -> String? { store.apply(command, answered: output) }
    func difference(in view: KeyValueView) -> String? { store.difference(in: view) }
    func difference(in view: KeyValueView, lookingFor query: [UInt8]) -> String? { store.difference(in: view, lookingFor: query) }

    typealias Machine = FaultyStore<Fault>
  }

  private var clients: KeyValueWorkload

  init() { self.init(Story.Scale()) }
  init(_ scale: Story.Scale) { clients = KeyValueWorkload(scale, searchingForOrder: false) }

  mutating func operation(_ number: UInt64, seeing view: KeyValueView, using random: inout PseudoRandom) -> ClientOperation {
    clients.operation(number, seeing: view, using: &random)
  }

  static func digest(of view: KeyValueView) -> UInt64 { view.digest }
}

/// A tally with a model that has two faults: it says no to any read that looks for something, and loses one number.
struct ModelledTallies: Workload {
  typealias Machine = Tally

  struct Tally: StateMachine, SnapshotSource {
    typealias View = Tally
    var total: UInt64 = 0

    init() {}

    mutating func apply(_ commands: [Command]) -> [Int] {
      for command in commands { total += UInt64(command.payload.first ?? 0) }
      return commands.map { _ in 0 }
    }

    func makeBlocks() -> CollectionOfOne<[UInt8]>.Iterator {
      var writer = ByteWriter()
      writer.write(total)
      return CollectionOfOne(writer.bytes).makeIterator()
    }

    init(restoring blocks: inout SnapshotBlocks) throws(MalformedBytes) {
      var reader = ByteReader(try blocks.next())
      total = try reader.readUInt64()
    }
  }

  struct Model: StateModel {
    static let lost: UInt8 = 99
    private var total: UInt64 = 0

    mutating func apply(_ command: Command, answered output: Int) -> String? {
      if command.payload.first != Self.lost { total += UInt64(command.payload.first ?? 0) }
      return nil
    }

    func difference(in view: Tally) -> String? { view.total == total ? nil : "\(view.total), the model has \(total)" }
    func difference(in view: Tally, lookingFor query: [UInt8]) -> String? { "no" }

    typealias Machine = Tally
  }

  func operation(_ number: UInt64, seeing view: Tally, using random: inout PseudoRandom) -> ClientOperation { .read }
}
