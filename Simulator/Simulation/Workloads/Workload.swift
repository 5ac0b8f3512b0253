import ByteCoding
import Raft
import Replica

/// What clients ask of a state machine under the swarm. Bring your own: a state machine, and a function that draws commands.
public protocol Workload {
  associatedtype Machine: StateMachine where Machine.Output: Equatable
  /// A second account of what the machine does, if there is one: every answer is held against it.
  associatedtype Model: StateModel = NoModel<Machine> where Model.Machine == Machine

  init()

  /// What client operation `number` is: the same for the same `number` and random numbers, and, if it looks at `view`, for the same state.
  /// `view` is the newest committed state.
  mutating func operation(_ number: UInt64, seeing view: Machine.View, using random: inout PseudoRandom) -> ClientOperation

  /// Two states with the same digest are the same. As it stands: a digest of the blocks that a snapshot would have.
  static func digest(of view: Machine.View) -> UInt64

  /// An answer in a few words, for people who read what happened; `query` is what the client looks for in `view`. As it stands: what the
  /// language makes of the output, and no word about the view.
  static func label(of output: Machine.Output) -> String
  static func label(of view: Machine.View, query: [UInt8]) -> String

  /// Called for each operation when it is asked, and when its outcome is known, for whatever the workload wants to checker itself.
  mutating func asked(_ request: RequestID, _ operation: ClientOperation, at now: Instant)
  /// Gives what is wrong with the answer.
  mutating func answered(
    _ request: RequestID, _ answer: ClientAnswer<Machine>, at now: Instant
  ) -> (checker: Violation.Checker, text: String)?

  /// Whether the workload has clients who follow the nodes' states as they go on. If not, none of the next six is called.
  static var followsStates: Bool { get }

  /// Before anything happens.
  mutating func prepare(_ story: Story)

  /// A node's state after each of its turns; `nil` when its process has ended. Gives what is wrong with what its clients are told.
  mutating func follow(_ node: Int, _ view: Machine.View?, at now: Instant) -> (checker: Violation.Checker, text: String)?

  /// The log goes on by an entry, to this state. Before any node shows it. `command` is `nil` for an entry that is none. Gives what is
  /// wrong.
  mutating func committed(_ model: Model, _ command: Command?, at now: Instant) -> (checker: Violation.Checker, text: String)?

  /// What one of its clients wants to ask by now, and through which node, beside what the story asks; it is asked at once, as request `id`.
  /// Called again and again until nobody wants anything.
  mutating func wish(_ id: RequestID, at now: Instant) -> (operation: ClientOperation, node: Int, timeout: Nanoseconds)?

  /// The faults are over: these nodes serve and go on to the newest state, the others perhaps not.
  mutating func healed(_ nodes: [Int])

  /// What its clients still wait for then; `nil` if nothing.
  var awaited: String? { get }

  /// What the workload itself finds wrong, once a run is over. `report` takes what it counted; `view` is the newest committed state.
  mutating func finalViolations(_ report: inout RunReport, view: Machine.View) -> [(checker: Violation.Checker, text: String)]
}

/// What one client asks.
public struct ClientOperation: Sendable {
  public enum Kind: Sendable {
    case command([UInt8])
    /// `query` says what the client looks for in the state that it gets; only the workload knows what its bytes mean.
    case read(Consistency, query: [UInt8])
    /// What only the leader knows; see `StateMachine.answer`.
    case question([UInt8])
  }

  public let kind: Kind
  private let describe: @Sendable () -> String

  /// `label` is made only for a trace.
  public init(_ kind: Kind, label: @autoclosure @escaping @Sendable () -> String) {
    self.kind = kind
    describe = label
  }

  /// For people who read what happened.
  public var label: String { describe() }

  /// Whether it changes nothing.
  public var isRead: Bool { if case .command = kind { false } else { true } }

  public static func command(_ bytes: [UInt8], label: @autoclosure @escaping @Sendable () -> String) -> ClientOperation {
    ClientOperation(.command(bytes), label: label())
  }

  /// A linearizable read of the whole state.
  public static let read = ClientOperation(.read(.linearizable, query: []), label: "read")
}

/// What it was told.
public enum ClientAnswer<Machine: StateMachine> {
  case output(Machine.Output)
  case view(Machine.View, isFresh: Bool)
  /// The leader's, to a question.
  case answer([UInt8])
  /// It was certainly not done, and never will be.
  case notDone
  /// Nobody knows.
  case unknown
}

extension Workload {
  public static func digest(of view: Machine.View) -> UInt64 {
    var digest: UInt32 = 0
    var blocks = view.makeBlocks()
    while let block = blocks.next() { digest = CRC32C.checksum(block[...], seed: digest) }
    return UInt64(digest)
  }

  public static func label(of output: Machine.Output) -> String { "\(output)" }
  public static func label(of view: Machine.View, query: [UInt8]) -> String { "the state" }

  public mutating func asked(_ request: RequestID, _ operation: ClientOperation, at now: Instant) {}
  public mutating func answered(
    _ request: RequestID, _ answer: ClientAnswer<Machine>, at now: Instant
  ) -> (checker: Violation.Checker, text: String)? { nil }
  public mutating func finalViolations(_ report: inout RunReport, view: Machine.View) -> [(checker: Violation.Checker, text: String)] { [] }

  public static var followsStates: Bool { false }
  public mutating func prepare(_ story: Story) {}
  public mutating func follow(
    _ node: Int, _ view: Machine.View?, at now: Instant
  ) -> (checker: Violation.Checker, text: String)? { nil }
  public mutating func committed(
    _ model: Model, _ command: Command?, at now: Instant
  ) -> (checker: Violation.Checker, text: String)? { nil }
  public mutating func wish(_ id: RequestID, at now: Instant) -> (operation: ClientOperation, node: Int, timeout: Nanoseconds)? { nil }
  public mutating func healed(_ nodes: [Int]) {}
  public var awaited: String? { nil }
}
