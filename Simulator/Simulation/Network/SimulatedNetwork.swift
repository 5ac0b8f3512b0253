import Raft
import Replica

/// How long frames take, which are lost, and which arrive as something else. Between every two members there is a link in each direction.
///
/// Each link draws its own random numbers: taking one frame out of a run changes nothing on the other links.
public struct SimulatedNetwork: Sendable {
  /// The shortest and the longest way of a frame. Each takes its own time, so frames overtake each other.
  public var latency: ClosedRange<Nanoseconds> = .milliseconds(1) ... .milliseconds(10)
  /// Of a thousand frames, how many are lost, how many come twice, and how many are damaged on the way.
  public var lossPerMille: UInt64 = 0
  public var duplicatesPerMille: UInt64 = 0
  public var corruptionPerMille: UInt64 = 0
  /// How much later than the first a second copy may come; one frame in twenty has one, unless this is 0.
  public var echo: Nanoseconds = .zero
  /// How much longer than otherwise the longest way may be.
  public var extraLatency: Nanoseconds = .zero
  /// Bytes per second that a link carries; 0 for no limit.
  public var bandwidth: Int64 = 0
  /// Whether frames of one link and one lane arrive in the order in which they were sent, as over one connection.
  public var keepsOrder = false

  let names: [String]
  var links: [Link]
  /// Frames so far: all, lost, duplicated, damaged.
  public internal(set) var counts = (sent: 0, lost: 0, duplicated: 0, corrupted: 0)

  init(names: [String], seed: UInt64) {
    self.names = names
    links = (0..<names.count * names.count).map { Link(random: PseudoRandom(seed: seed &+ UInt64($0) &* 0x9e37_79b9)) }
  }

  // MARK: Cuts

  /// Nothing goes from `source` to `destination` any more. Cuts are counted: two cuts need two to be mended, or one `heal`.
  public mutating func cut(from source: String, to destination: String) { self[source, destination].cuts += 1 }

  public mutating func cut(_ a: String, _ b: String) {
    cut(from: a, to: b)
    cut(from: b, to: a)
  }

  /// Takes one cut back.
  public mutating func mend(from source: String, to destination: String) {
    self[source, destination].cuts = max(0, self[source, destination].cuts - 1)
  }

  public mutating func isolate(_ name: String, from others: [String]) {
    for other in others where other != name { cut(name, other) }
  }

  /// Ends all cuts.
  public mutating func heal() {
    for link in links.indices { links[link].cuts = 0 }
  }

  // MARK: Links

  /// The shortest and the longest way of a frame on one link; `nil` for what holds everywhere.
  public mutating func setLatency(_ latency: ClosedRange<Nanoseconds>?, from source: String, to destination: String) {
    self[source, destination].latency = latency
  }

  /// What is sent waits at the sender, until `unclog` lets it go all at once.
  public mutating func clog(from source: String, to destination: String) { self[source, destination].isClogged = true }

  subscript(source: String, destination: String) -> Link {
    get { links[number(source, destination)] }
    set { links[number(source, destination)] = newValue }
  }

  private func number(_ source: String, _ destination: String) -> Int {
    guard let from = names.firstIndex(of: source), let to = names.firstIndex(of: destination) else {
      preconditionFailure("no link from \(source) to \(destination)")
    }
    return from * names.count + to
  }

  // MARK: Frames

  /// What becomes of a frame that is sent now.
  enum Fate {
    case arrives(Instant, again: Instant?)
    case waits
    case lost(String)
  }

  mutating func send(_ frame: inout [UInt8], from source: Int, to destination: Int, _ lane: Lane, now: Instant) -> Fate {
    counts.sent += 1
    let link = source * names.count + destination
    guard links[link].cuts == 0 else { return lose("cut") }
    if links[link].isClogged {
      return links[link].hold(frame, message: counts.sent) ? .waits : lose("a full queue")
    }
    if lossPerMille > 0, links[link].random.below(1000) < lossPerMille { return lose("lost") }
    if corruptionPerMille > 0, links[link].random.below(1000) < corruptionPerMille {
      counts.corrupted += 1
      links[link].damage(&frame)
    }
    guard let delay = links[link].delay(bytes: frame.count, lane, bandwidth: bandwidth, now: now) else { return lose("a full queue") }
    let usual = links[link].latency ?? latency
    let latency = usual.lowerBound...usual.upperBound + extraLatency
    var first = now + delay + links[link].random.nanoseconds(in: latency)
    if keepsOrder { first = links[link].inOrder(first, lane) }
    links[link].latestArrival = max(links[link].latestArrival, first)
    if echo > .zero, links[link].random.chance(1, in: 20) {
      counts.duplicated += 1
      return .arrives(first, again: first + links[link].random.nanoseconds(in: .zero...echo))
    }
    guard duplicatesPerMille > 0, links[link].random.below(1000) < duplicatesPerMille else { return .arrives(first, again: nil) }
    counts.duplicated += 1
    return .arrives(first, again: now + delay + links[link].random.nanoseconds(in: latency))
  }

  /// When the end of a connection is known at the other side: after all that was sent over it. `nil` if it does not get there.
  mutating func hangUp(from source: Int, to destination: Int, now: Instant) -> Instant? {
    let link = source * names.count + destination
    guard links[link].cuts == 0, !links[link].isClogged else { return nil }
    if lossPerMille > 0, links[link].random.below(1000) < lossPerMille { return nil }
    let at = now + links[link].random.nanoseconds(in: links[link].latency ?? latency)
    return max(at, links[link].latestArrival + Nanoseconds(1))
  }

  private mutating func lose(_ why: String) -> Fate {
    counts.lost += 1
    return .lost(why)
  }

  /// One direction between two members.
  struct Link: Sendable {
    /// Frames that a clogged link keeps; one more is lost.
    static let maximumHeld = 1000
    /// How far a slow link may fall behind before it loses frames.
    static let maximumBacklog = Nanoseconds.milliseconds(2000)

    var cuts = 0
    var latency: ClosedRange<Nanoseconds>?
    var isClogged = false
    private(set) var held: [(frame: [UInt8], message: Int)] = []
    /// When the last frame of each lane has left, on a link of limited bandwidth.
    private var isBusyUntil = (control: Instant.zero, data: Instant.zero)
    /// When the last of all frames arrives.
    fileprivate(set) var latestArrival = Instant.zero
    /// When the last frame of each lane arrives, on a link that keeps them in order.
    private var lastArrival = (control: Instant.zero, data: Instant.zero)
    var random: PseudoRandom

    init(random: PseudoRandom) { self.random = random }

    mutating func hold(_ frame: [UInt8], message: Int) -> Bool {
      guard held.count < Self.maximumHeld else { return false }
      held.append((frame, message))
      return true
    }

    mutating func takeHeld() -> [(frame: [UInt8], message: Int)] {
      defer { held = [] }
      return held
    }

    /// How long the frame waits until it has left; `nil` if too much waits before it. While both lanes have something to send, a frame of
    /// the control lane gets half of the link, as two connections do that share one.
    mutating func delay(bytes: Int, _ lane: Lane, bandwidth: Int64, now: Instant) -> Nanoseconds? {
      guard bandwidth > 0 else { return .zero }
      let begin = max(lane == .control ? isBusyUntil.control : isBusyUntil.data, now)
      guard begin - now <= Self.maximumBacklog else { return nil }
      let time = Int64(bytes) * .seconds(1) / bandwidth
      switch lane {
      case .data:
        isBusyUntil.data = begin + time
        return isBusyUntil.data - now
      case .control:
        let isShared = isBusyUntil.data > begin
        isBusyUntil.control = begin + (isShared ? 2 * time : time)
        if isShared { isBusyUntil.data = isBusyUntil.data + time }
        return isBusyUntil.control - now
      }
    }

    /// Not before what was sent before.
    mutating func inOrder(_ arrival: Instant, _ lane: Lane) -> Instant {
      switch lane {
      case .control:
        lastArrival.control = max(lastArrival.control, arrival)
        return lastArrival.control
      case .data:
        lastArrival.data = max(lastArrival.data, arrival)
        return lastArrival.data
      }
    }

    /// A byte that is another, an end that is missing, or one too much.
    mutating func damage(_ frame: inout [UInt8]) {
      guard !frame.isEmpty else { return }
      switch random.below(4) {
      case 0: frame.removeLast(1 + Int(random.below(UInt64(frame.count))))
      case 1: frame.append(contentsOf: repeatElement(UInt8(truncatingIfNeeded: random.next()), count: 1 + Int(random.below(4096))))
      default: frame[Int(random.below(UInt64(frame.count)))] ^= UInt8(1 + random.below(255))
      }
    }
  }
}

extension Nanoseconds {
  /// Rounded down.
  var inWholeMilliseconds: Nanoseconds { .milliseconds(self / .milliseconds(1)) }
}

extension PseudoRandom {
  mutating func nanoseconds(in range: ClosedRange<Nanoseconds>) -> Nanoseconds {
    range.lowerBound + Nanoseconds(below(UInt64((range.upperBound - range.lowerBound).count) + 1))
  }

  /// One of these; `items` must not be empty.
  public mutating func pick<Item>(_ items: [Item]) -> Item { items[Int(below(UInt64(items.count)))] }

  /// True `count` times of `total`.
  public mutating func chance(_ count: UInt64, in total: UInt64) -> Bool { below(total) < count }
}
