import KeyValue

/// A request to the store, and what its answer means: the two belong together, and the way between them is the caller's.
public struct Operation<Asked: Sendable, Outcome: Sendable>: Sendable {
  public let request: Asked
  private let interpret: @Sendable (Response) throws(LinkError) -> Outcome

  init(_ request: Asked, interpret: @escaping @Sendable (Response) throws(LinkError) -> Outcome) {
    self.request = request
    self.interpret = interpret
  }

  /// - Throws: `LinkError.unexpectedAnswer` for the answer to something else, `LinkError.damaged` for what cannot be read.
  public func outcome(of answer: Response) throws(LinkError) -> Outcome { try interpret(answer) }
}

/// A change: goes through the log.
public typealias LinkChange<Outcome: Sendable> = Operation<Request, Outcome>

/// A question: a node may answer it alone if a stale answer will do.
public typealias LinkQuery<Outcome: Sendable> = Operation<RangeRequest, Outcome>

extension OperationResult {
  func range() throws(LinkError) -> RangeResponse {
    guard case .range(let range) = self else { throw .unexpectedAnswer }
    return range
  }

  func transaction() throws(LinkError) -> (succeeded: Bool, responses: [OperationResult]) {
    guard case .transaction(let succeeded, let responses) = self else { throw .unexpectedAnswer }
    return (succeeded, responses)
  }
}
