import KeyValue
import Raft

/// Clients that watch keys: each through some node, at its own pace, a little at a time. Its connection breaks when the node's process
/// ends, and otherwise after a while; then it goes on through another node with the revision that comes next. Who falls behind a compaction
/// begins again there. Some are users, and watch as long as they may.
struct WatchClients {
  private struct Client {
    var account: WatchChecker.Account
    var connection: Connection?
    /// What it does next, it does at this moment.
    var acts = Instant.zero
    /// Bytes of a piece, and what it waits between two.
    var bytes = 0
    var pace = Nanoseconds.zero
    /// Has watched before, so that its next watch goes on with that.
    var isResuming = false
  }

  private struct Connection {
    let node: Int
    let id: Watchers.ID
    /// When it breaks.
    let ends: Instant
    /// There is something to read, as far as the client knows.
    var isReady: Bool
  }

  struct Counts {
    var opened = 0
    var broken = 0
    var resumed = 0
    var cancelled = 0
    var events = 0
    /// Watches of revisions that their node had not come to.
    var ahead = 0
    /// Watches that were not opened, and those that came to an end, since who wanted them might not read.
    var refused = 0
    var denied = 0

    var named: [(name: String, count: Int)] {
      [
        ("watches opened", opened), ("watches broken", broken), ("watches resumed", resumed), ("watches ahead of their node", ahead),
        ("watches cancelled by compaction", cancelled), ("watches refused", refused), ("watches denied later", denied),
        ("events told", events),
      ]
    }
  }

  private(set) var counts = Counts()
  private var checker = WatchChecker()
  private var clients: [Client] = []
  /// Of each node whose process runs.
  private var watchers: [Watchers?]
  private var random: PseudoRandom
  /// Decides on whose behalf they watch: apart, so that what they watch and when is the same as ever.
  private var subjects: PseudoRandom
  private let keys: UInt64
  /// The nodes that are healed for good, once they are: everyone reads all there is through them.
  private var core: [Int]?

  private static let clients = 3

  init(nodes: Int, keys: UInt64, seed: UInt64) {
    watchers = Array(repeating: nil, count: nodes)
    self.keys = keys
    random = PseudoRandom(seed: seed ^ 0x7a7c_4e5)
    subjects = PseudoRandom(seed: ~seed ^ 0x7a7c_4e5)
    for _ in 0..<Self.clients { clients.append(newcomer(at: .zero)) }
  }

  mutating func committed(_ model: NaiveStore) { checker.committed(model) }

  mutating func heal(_ nodes: [Int]) {
    core = nodes
    for number in clients.indices where !nodes.contains(clients[number].connection?.node ?? -1) { breakOff(number, at: .zero) }
  }

  /// Who has not seen everything yet, and may.
  var awaited: String? {
    for (number, client) in clients.enumerated()
    where client.account.next <= checker.newest && checker.mayWatch(client.account.request) {
      let place = client.connection.map { "through node \($0.node)" } ?? "through no node"
      return "watcher \(number) waits for revision \(client.account.next) of \(checker.newest) \(place)"
    }
    return nil
  }

  /// A node's state as far as its watchers are; `nil` if its process does not run.
  func view(of node: Int) -> KeyValueView? { watchers[node]?.view }

  // MARK: What nodes come to

  /// A node has done a turn and has this state; `nil`: its process has ended.
  /// - Returns: what is wrong with what a client was told.
  mutating func follow(_ node: Int, _ view: KeyValueView?, at now: Instant) -> String? {
    guard let view else {
      watchers[node] = nil
      for number in clients.indices where clients[number].connection?.node == node { breakOff(number, at: now) }
      return nil
    }
    if watchers[node] == nil { watchers[node] = Watchers(view, limit: Self.clients) }
    // Often too little for all that a turn applied.
    var work = 1 + Int(random.below(64))
    let isFinished = watchers[node]?.advance(to: view, work: &work)
    while let id = watchers[node]?.nextReady() {
      for number in clients.indices where clients[number].connection?.node == node && clients[number].connection?.id == id {
        clients[number].connection?.isReady = true
      }
    }
    if isFinished == true, let text = overlooked(by: node) { return text }
    for number in clients.indices where clients[number].acts <= now {
      if let text = act(number, through: node, at: now) { return "watcher \(number) \(text)" }
    }
    return nil
  }

  /// Who may not watch any more, and is not woken to be told so.
  private func overlooked(by node: Int) -> String? {
    guard let watchers = watchers[node] else { return nil }
    for (number, client) in clients.enumerated() {
      guard let connection = client.connection, connection.node == node, client.account.request.subject != nil,
        watchers.progress(of: connection.id) != nil,
        let text = checker.judged(client.account.request, isDenied: false, by: watchers.view.access.stamp)
      else { continue }
      return "watcher \(number) \(text)"
    }
    return nil
  }

  // MARK: What clients do

  private mutating func act(_ number: Int, through node: Int, at now: Instant) -> String? {
    guard let connection = clients[number].connection else { return open(number, at: now) }
    guard connection.node == node else { return nil }
    if connection.ends <= now, core == nil {
      watchers[node]?.remove(connection.id)
      breakOff(number, at: now)
      return nil
    }
    clients[number].acts = now + random.nanoseconds(in: .zero...(core == nil ? clients[number].pace : .milliseconds(100)))
    return connection.isReady ? read(number, connection, at: now) : look(number, connection)
  }

  private mutating func read(_ number: Int, _ connection: Connection, at now: Instant) -> String? {
    guard let view = watchers[connection.node]?.view else { return nil }
    var work = core == nil ? 1 + Int(random.below(40)) : 100_000
    let bytes = core == nil ? clients[number].bytes : 1 << 20
    let answer = watchers[connection.node]?.read(connection.id, bytes: bytes, work: &work)
    let isDenied = if case .denied? = answer { true } else { false }
    if let text = checker.judged(clients[number].account.request, isDenied: isDenied, by: view.access.stamp) { return text }
    switch answer {
    case .events(let events, let isFragment, let isIdle):
      counts.events += events.count
      clients[number].connection?.isReady = !isIdle
      return checker.told(
        events.map(WatchChecker.Told.init), isFragment: isFragment, compactRevision: view.compactRevision, to: &clients[number].account)
    case .compacted(let revision):
      counts.cancelled += 1
      clients[number].connection = nil
      clients[number].acts = now
      return checker.cancelled(at: revision, &clients[number].account)
    case .denied:
      counts.denied += 1
      clients[number].connection = nil
      clients[number].account.breakOff()
      waitForRights(number, at: now)
      return nil
    case nil: return "is not known to node \(connection.node)"
    }
  }

  /// It asks how far it has seen everything.
  private mutating func look(_ number: Int, _ connection: Connection) -> String? {
    guard let watchers = watchers[connection.node] else { return nil }
    // Who is ready without knowing it has just become so.
    guard let revision = watchers.progress(of: connection.id) else { return nil }
    return checker.seen(through: revision, compactRevision: watchers.view.compactRevision, by: &clients[number].account)
  }

  private mutating func breakOff(_ number: Int, at now: Instant) {
    guard clients[number].connection != nil else { return }
    counts.broken += 1
    clients[number].connection = nil
    clients[number].account.breakOff()
    clients[number].acts = now + random.nanoseconds(in: .zero ... .milliseconds(800))
    // Somebody else comes now and then.
    if core == nil, random.chance(1, in: 8) { clients[number] = newcomer(at: clients[number].acts) }
  }

  /// It tries again later, or somebody else comes.
  private mutating func waitForRights(_ number: Int, at now: Instant) {
    clients[number].acts = now + subjects.nanoseconds(in: .milliseconds(1) ... .milliseconds(core == nil ? 2000 : 200))
    if core == nil, subjects.chance(1, in: 4) { clients[number] = newcomer(at: clients[number].acts) }
  }

  private mutating func open(_ number: Int, at now: Instant) -> String? {
    clients[number].acts = now + random.nanoseconds(in: .milliseconds(1) ... .milliseconds(200))
    let node = core.map { $0[Int(random.below(UInt64($0.count)))] } ?? Int(random.below(UInt64(watchers.count)))
    guard let view = watchers[node]?.view else { return nil }
    var request = clients[number].account.request
    request.startRevision = clients[number].isResuming ? clients[number].account.next : request.startRevision
    let (id, start): (Watchers.ID, Revision)
    do throws(WatchError) {
      guard let added = try watchers[node]?.add(request) else { return nil }
      (id, start) = added
    } catch {
      guard case .access = error else { return "is refused: \(error)" }
      counts.refused += 1
      waitForRights(number, at: now)
      return checker.judged(request, isDenied: true, by: view.access.stamp)
    }
    if let text = checker.judged(request, isDenied: false, by: view.access.stamp) { return text }
    counts.opened += 1
    if clients[number].isResuming { counts.resumed += 1 } else { clients[number].account.next = start }
    if start > view.revision + 1 { counts.ahead += 1 }
    clients[number].isResuming = true
    let life = random.nanoseconds(in: .milliseconds(200) ... .milliseconds(8000))
    clients[number].connection = Connection(
      node: node, id: id, ends: now + life, isReady: watchers[node]?.progress(of: id) == nil)
    return nil
  }

  private mutating func newcomer(at now: Instant) -> Client {
    // From now on, from the first revision on, and from one that is kept as often as not.
    let start: Revision = random.pick([0, 1, max(1, checker.newest - Revision(random.below(150)))])
    let request = WatchRequest(
      range: range(), startRevision: start, filter: random.pick([[], [], .noPut, .noDelete]), wantsPrevious: true,
      splitsRevisions: random.chance(1, in: 3), subject: subjects.chance(1, in: 2) ? AccessDrawer.subject(&subjects) : nil)
    var client = Client(account: WatchChecker.Account(request, next: start))
    client.acts = now
    client.bytes = Int(random.below(400))
    client.pace = random.pick([.milliseconds(20), .milliseconds(200), .milliseconds(3000)])
    return client
  }

  private mutating func range() -> KeyRange {
    let place = random.below(keys)
    let key = KeyValueDrawer.key(place)
    switch random.below(5) {
    case 0: return .all
    case 1: return KeyRange(start: key, end: [0])
    case 2: return KeyRange(start: key, end: Array("key-\(place)~".utf8))
    case 3: return KeyRange(prefix: Array("key-\(random.below(keys) / 10)".utf8))
    default: return KeyRange(key)
    }
  }
}
