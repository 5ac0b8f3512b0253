import NIOCore

/// The way to one peer's advertised address: dialled when there is something to send, and again after it broke. Confined to the
/// transport's event loop.
final class PeerLink {
  enum State {
    /// No connection, and none wanted: the next frame dials.
    case idle
    /// Frames wait for the connection, up to `PeerTransport.Limits.heldBytes`.
    case dialling(held: [[UInt8]], bytes: Int)
    case connected(PeerConnection, since: NIODeadline)
    /// The last attempt failed: frames are dropped until then.
    case waiting(until: NIODeadline)
  }

  enum Step: Equatable { case sent, dial, held, drop(DropReason) }

  let address: String
  private(set) var state = State.idle
  /// When a frame was last to be sent.
  private(set) var lastUse: NIODeadline
  /// Failures since the last connection: the first one is worth a line in the log.
  private(set) var failures = 0
  private var backoff: Backoff
  private let heldBytes: Int

  init(address: String, heldBytes: Int, seed: UInt64, now: NIODeadline) {
    self.address = address
    self.heldBytes = heldBytes
    backoff = Backoff(seed: seed)
    lastUse = now
  }

  func send(_ frame: [UInt8], now: NIODeadline) -> Step {
    lastUse = now
    switch state {
    case .connected(let connection, _):
      return connection.write(frame) ? .sent : .drop(.backlog)
    case .dialling(var held, let bytes):
      guard bytes + frame.count <= heldBytes else { return .drop(.notConnected) }
      held.append(frame)
      state = .dialling(held: held, bytes: bytes + frame.count)
      return .held
    case .waiting(let until) where now < until:
      return .drop(.notConnected)
    case .idle, .waiting:
      let fits = frame.count <= heldBytes
      state = .dialling(held: fits ? [frame] : [], bytes: fits ? frame.count : 0)
      return .dial
    }
  }

  /// The connection is there; what was held goes first.
  func connected(_ connection: PeerConnection, now: NIODeadline) {
    if case .dialling(let held, _) = state {
      for frame in held { _ = connection.write(frame) }
    }
    failures = 0
    state = .connected(connection, since: now)
  }

  /// The attempt failed, or the connection ended. One that lasted was no failure, and starts the backoff anew.
  func disconnected(now: NIODeadline) {
    if case .connected(_, let since) = state, now - since >= .nanoseconds(Backoff.longest) { backoff.reset() }
    failures += 1
    state = .waiting(until: now + .nanoseconds(backoff.next()))
  }
}
