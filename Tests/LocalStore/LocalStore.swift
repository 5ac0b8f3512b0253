import KeyValue
import Replica

/// A store of one node without a log: the real state machine, with the checks that a node makes before it proposes a request.
public struct LocalStore: Sendable {
  private var machine = KeyValueMachine()
  private var commands: UInt64 = 0

  public init() {}

  public var pairs: [KeyValuePair] { Array(machine.view.pairs()) }

  public mutating func perform(_ request: Request) throws(KeyValueError) -> Response {
    try request.validate()
    if request.isReadOnly { return try machine.view.answer(request).get() }
    commands += 1
    let outputs = machine.apply([Command(index: commands, term: 1, payload: request.encoded()[...])])
    return try outputs[0].get()
  }

  public func read(_ request: RangeRequest, for subject: Subject? = nil) throws(KeyValueError) -> Response {
    guard let subject else { return try machine.view.answer(request).get() }
    return try machine.view.answer(.onBehalf(of: subject, .range(request))).get()
  }

  public var access: Access { machine.view.access }
}
