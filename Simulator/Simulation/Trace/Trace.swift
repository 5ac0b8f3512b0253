import Raft

/// What happened in a run, for people: filled while the run is replayed, shown by `TraceText` and `TracePage`.
///
/// It holds at most `limit` events. When they become more, the oldest messages and progress are forgotten first, then the oldest of the
/// rest; the last role, progress and open faults of that time are kept, so that what remains is still told from a known state.
public struct Trace: Sendable {
  public enum Role: String, Sendable, CaseIterable {
    /// No process runs.
    case down
    /// The process runs, but does not yet take part in a cluster.
    case forming
    case follower
    /// Asks for votes, or whether it would get them.
    case candidate
    case leader
  }

  /// Nodes are numbers, places in `names`. What names another node is not recorded.
  public enum Event: Sendable {
    /// The process starts. It is forming until a `role` says otherwise.
    case started(node: Int)
    /// The process is no more; `how` says by what: a crash, power loss, a storage failure, a refused start.
    case ended(node: Int, how: String)
    case paused(node: Int)
    case resumed(node: Int)
    case role(node: Int, Role, term: Term)
    /// How far its log reaches, is durable, is committed as far as the node knows, and is applied.
    case progress(node: Int, last: LogIndex, durable: LogIndex, commit: LogIndex, applied: LogIndex)
    /// The first word of the label tells the kind of the message: see `MessageKind`. `message` is a number that no other message has.
    case sent(message: Int, from: Int, to: Int, label: String, term: Term)
    /// A duplicate arrives twice.
    case arrived(message: Int)
    case lost(message: Int, why: String)
    /// `nodes`: those that it concerns; none, if it concerns all alike.
    case faultBegan(fault: Int, label: String, nodes: [Int])
    case faultEnded(fault: Int)
    case asked(request: UInt64, node: Int, label: String)
    /// `good`: it was done, as opposed to refused, or given up without knowing.
    case answered(request: UInt64, label: String, good: Bool)
    /// What the node itself thought worth a line.
    case note(node: Int, String)
    /// A new part of the run begins.
    case phase(String)
    case violation(checker: String, String)
  }

  /// What a message is for.
  public enum MessageKind: String, Sendable, CaseIterable {
    case heartbeat
    /// Asks for a vote, or answers.
    case election
    /// Entries, commit indices and snapshots.
    case log
    case other

    /// The kind of a message whose label begins like a case of `Message.Body`: `voteRequest, last 7`, `append 2 entries`.
    public init(label: String) {
      self = Self.beginnings.first { label.hasPrefix($0.text) }?.kind ?? .other
    }

    private static let beginnings: [(text: String, kind: MessageKind)] = [
      ("heartbeat", .heartbeat), ("preVote", .election), ("vote", .election), ("append", .log), ("commit", .log), ("snapshot", .log),
    ]
  }

  /// More draw slowly in a browser.
  public static let usualLimit = 50_000

  public let names: [String]
  /// Most events that are held.
  public let limit: Int
  /// In the order of time.
  public private(set) var events: [(at: Instant, event: Event)] = []
  /// How many events were forgotten.
  public private(set) var forgotten = 0
  /// From here on no message and no progress was forgotten.
  public private(set) var detailedSince = Instant.zero

  /// - Parameters:
  ///   - names: of the nodes; each has a lane.
  ///   - limit: most events that are held; at least 100.
  public init(names: [String], limit: Int = usualLimit) {
    self.names = names
    self.limit = max(100, limit)
  }

  /// What is said to be earlier than the last event is taken to happen together with it.
  public mutating func add(_ event: Event, at: Instant) {
    guard event.nodes.allSatisfy(names.indices.contains) else { return }
    events.append((max(at, events.last?.at ?? at), event))
    if events.count > limit { forget() }
  }

  /// Adds what was found only later where it belongs: behind all that happened until then.
  public mutating func insert(_ event: Event, at: Instant) {
    let place = events.lastIndex { $0.at <= at }.map { $0 + 1 } ?? 0
    events.insert((at, event), at: place)
    if events.count > limit { forget() }
  }

  /// Forgets so much at once that it seldom has to.
  private mutating func forget() {
    forgetHalf { $0.isDetail }
    if events.count > limit / 4 * 3 { forgetHalf { _ in true } }
  }

  /// Forgets the older half of those events, except what still holds at its end.
  private mutating func forgetHalf(of mayGo: (Event) -> Bool) {
    let all = events.indices.filter { mayGo(events[$0].event) }
    let older = all.prefix(all.count / 2)
    guard let last = older.last else { return }
    let standing = standing(at: last)
    var isGone = [Bool](repeating: false, count: events.count)
    for index in older where !standing.contains(index) { isGone[index] = true }
    detailedSince = max(detailedSince, events[last].at)
    let before = events.count
    events = zip(events, isGone).filter { !$1 }.map(\.0)
    forgotten += before - events.count
  }

  /// The events up to `last` that tell how things stand after it.
  private func standing(at last: Int) -> Set<Int> {
    var latest: [Event.Aspect: Int] = [:]
    for index in events.indices.prefix(last + 1) {
      guard let aspect = events[index].event.aspect else { continue }
      latest[aspect] = if case .faultEnded = events[index].event { nil } else { index }
    }
    return Set(latest.values)
  }
}

extension Trace.Event {
  /// Of an aspect only the latest event matters.
  enum Aspect: Hashable {
    case life(Int), pause(Int), role(Int), progress(Int), fault(Int), phase
  }

  var aspect: Aspect? {
    switch self {
    case .started(let node), .ended(let node, _): .life(node)
    case .paused(let node), .resumed(let node): .pause(node)
    case .role(let node, _, _): .role(node)
    case .progress(let node, _, _, _, _): .progress(node)
    case .faultBegan(let fault, _, _), .faultEnded(let fault): .fault(fault)
    case .phase: .phase
    case .sent, .arrived, .lost, .asked, .answered, .note, .violation: nil
    }
  }

  /// There are many of them, and an old one tells little.
  var isDetail: Bool {
    switch self {
    case .progress, .sent, .arrived, .lost: true
    default: false
    }
  }

  /// The nodes that it names.
  var nodes: [Int] {
    switch self {
    case .started(let node), .ended(let node, _), .paused(let node), .resumed(let node), .role(let node, _, _), .note(let node, _),
      .progress(let node, _, _, _, _), .asked(_, let node, _):
      [node]
    case .sent(_, let from, let to, _, _): [from, to]
    case .faultBegan(_, _, let nodes): nodes
    case .arrived, .lost, .faultEnded, .answered, .phase, .violation: []
    }
  }
}
