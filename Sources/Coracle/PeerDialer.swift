import NIOCore
import Raft

/// The way to one peer's advertised address: dialled when there is something to send, and again after it broke. Confined to the
/// transport's event loop.
final class PeerDialer {
  enum State {
    /// No connection, and none wanted: the next frame dials.
    case idle
    /// Frames are held until the connection is there, up to `PeerTransport.Limits.heldBytes`.
    case dialling
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
  /// Another connection is being made, to take the place of the one that frames go over.
  private(set) var isReplacing = false
  private var backoff: Backoff
  private var held: [[UInt8]] = []
  private var heldBytes = 0
  private let maximumHeldBytes: Int

  init(address: String, maximumHeldBytes: Int, seed: UInt64, now: NIODeadline) {
    self.address = address
    self.maximumHeldBytes = maximumHeldBytes
    backoff = Backoff(seed: seed)
    lastUse = now
  }

  func send(_ frame: [UInt8], now: NIODeadline) -> Step {
    lastUse = now
    switch state {
    case .connected(let connection, _):
      return connection.write(frame) ? .sent : .drop(.backlog)
    case .dialling:
      return hold(frame) ? .held : .drop(.notConnected)
    case .waiting(let until) where now < until:
      return .drop(.notConnected)
    case .idle, .waiting:
      state = .dialling
      // Too large to hold: drop it, but dial anyway, for the next frame.
      _ = hold(frame)
      return .dial
    }
  }

  private func hold(_ frame: [UInt8]) -> Bool {
    guard heldBytes + frame.count <= maximumHeldBytes else { return false }
    held.append(frame)
    heldBytes += frame.count
    return true
  }

  private func releaseHeld() -> [[UInt8]] {
    defer {
      held = []
      heldBytes = 0
    }
    return held
  }

  /// Frames go over the connection that there is until `connected` gives another.
  func beginReplacing() { isReplacing = true }

  /// The connection is there; what was held goes first. Returns the one whose place it takes.
  func connected(_ connection: PeerConnection, now: NIODeadline) -> PeerConnection? {
    let former: PeerConnection? = if case .connected(let former, _) = state { former } else { nil }
    isReplacing = false
    for frame in releaseHeld() { _ = connection.write(frame) }
    failures = 0
    state = .connected(connection, since: now)
    return former
  }

  /// An attempt failed, or a connection ended: `connection`, if it came as far as one.
  func ended(_ connection: PeerConnection?, now: NIODeadline) {
    guard isReplacing, case .connected(let current, _) = state else { return disconnected(now: now) }
    isReplacing = false
    // The attempt that is under way goes on, as the only one.
    if connection === current { state = .dialling }
  }

  /// The attempt failed, or the connection ended. One that lasted was no failure, and starts the backoff anew.
  private func disconnected(now: NIODeadline) {
    if case .connected(_, let since) = state, now - since >= .nanoseconds(Backoff.longest.count) { backoff.reset() }
    _ = releaseHeld()
    failures += 1
    state = .waiting(until: now + .nanoseconds(backoff.next().count))
  }
}

/// How long to wait before the next attempt: twice as long each time, up to a cap, and spread at random over the upper half, so that peers
/// which failed together do not come back together.
struct Backoff {
  static let shortest: Nanoseconds = .milliseconds(50)
  static let longest: Nanoseconds = .milliseconds(2000)

  private var ceiling = shortest
  private var random: PseudoRandom

  init(seed: UInt64) {
    random = PseudoRandom(seed: seed)
  }

  mutating func next() -> Nanoseconds {
    defer { ceiling = min(ceiling * 2, Self.longest) }
    return ceiling / 2 + random.below(ceiling / 2 + Nanoseconds(1))
  }

  mutating func reset() { ceiling = Self.shortest }
}
