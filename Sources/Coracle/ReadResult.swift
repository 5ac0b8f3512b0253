/// A picture of the state, and how old it may be.
public struct ReadResult<View: Sendable>: Sendable {
  /// Immutable, so that a long read never stops the writes.
  public let view: View
  /// How long this node has not heard from a leader; `nil` for a linearizable read, which sees all that was acknowledged before it began.
  public let staleness: Duration?

  public init(view: View, staleness: Duration?) {
    self.view = view
    self.staleness = staleness
  }
}
