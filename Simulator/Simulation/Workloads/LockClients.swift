import KeyValue
import Raft
import Replica

/// Clients that hold locks, as etcd's do: each grants itself a lease, keeps it alive through any nodes, goes the way of a `Candidacy`, and
/// writes under its fence while it believes that it holds the lock. Some freeze for longer than their lease lasts, and go on writing then.
/// Some give back what they held, some leave that to time.
struct LockClients {
  private enum Stage {
    case granting
    case claiming(Request)
    case waiting(Key, from: Revision)
    case holding(Fence)
    case leaving(Request)
  }

  /// A request without an answer; after a while the client asks once more.
  private struct Open {
    let id: RequestID
    let asked: Instant
    let until: Instant
  }

  private struct Client {
    let lease: LeaseID
    let timeToLive: Int64
    let name: Key
    var candidacy: Candidacy
    var stage = Stage.granting
    var request: Open?
    /// To keep the lease alive.
    var question: Open?
    /// What it does next, it does at this moment.
    var acts: Instant
    /// When it keeps its lease alive again.
    var asks = Instant.never
    /// When it has held for long enough.
    var leaves = Instant.never
    var isFrozen = false
    var writes = 0
  }

  struct Counts {
    var keptAlive = 0
    var taken = 0
    /// By another than held before.
    var handedOn = 0
    var refused = 0
  }

  /// What a client asks next.
  struct Wish {
    let operation: ClientOperation
    let node: Int
    let timeout: Nanoseconds
  }

  /// Leases with smaller numbers are those of others.
  private static let firstLease: LeaseID = 1000
  private static let clients = 3
  private static let names: UInt64 = 2
  private static let patience = Nanoseconds.milliseconds(1500)

  private(set) var counts = Counts()
  private(set) var checker: LeaseChecker
  private var clients: [Client] = []
  /// Of each lock the client that was the last to take it.
  private var holders: [Int?]
  private var lastLease = firstLease
  private var random: PseudoRandom
  private let nodes: Int
  /// Nobody asks for anything any more, and all leases must end.
  private var isOver = false

  init(nodes: Int, seed: UInt64, fastest: Int64 = 0) {
    self.nodes = nodes
    checker = LeaseChecker(fastest: fastest)
    random = PseudoRandom(seed: seed ^ 0x10c_4c11e)
    holders = Array(repeating: nil, count: Int(Self.names))
    for _ in 0..<Self.clients { clients.append(newcomer(at: .zero)) }
  }

  var named: [(name: String, count: Int)] {
    [
      ("leases granted", checker.granted), ("leases kept alive", counts.keptAlive), ("leases expired", checker.expired),
      ("locks taken", counts.taken), ("locks handed on", counts.handedOn), ("fenced writes refused", counts.refused),
    ]
  }

  mutating func committed(_ model: NaiveStore, _ command: Command?, at now: Instant) -> String? {
    checker.committed(model, command, at: now)
  }

  mutating func heal() { isOver = true }

  /// Which lease should be gone and is not, once nobody keeps any alive.
  var awaited: String? { checker.leases(from: Self.firstLease).first.map { "lease \($0) is still there" } }

  private mutating func newcomer(at now: Instant) -> Client {
    lastLease += 1
    let name = Array("\(random.below(Self.names))".utf8)
    return Client(
      lease: lastLease, timeToLive: Int64(2 + random.below(3)), name: name,
      candidacy: Candidacy(name: LeaseChecker.lock(name), lease: lastLease), acts: now + time(upTo: 1000))
  }

  private mutating func time(upTo milliseconds: Int64) -> Nanoseconds {
    random.nanoseconds(in: .milliseconds(1) ... .milliseconds(milliseconds))
  }

  // MARK: What clients ask

  /// What a client wants to ask by now, if any does.
  /// - Parameters:
  ///   - id: the request will have this number.
  ///   - view: a node's state; `nil` if it does not run.
  mutating func wish(_ id: RequestID, at now: Instant, view: (Int) -> KeyValueView?) -> Wish? {
    guard !isOver else { return nil }
    for number in clients.indices {
      if let open = clients[number].request, open.until <= now { clients[number].request = nil }
      if let open = clients[number].question, open.until <= now { clients[number].question = nil }
      let (asks, acts) = (clients[number].asks <= now && clients[number].question == nil, clients[number].acts <= now)
      guard asks || acts && clients[number].request == nil else { continue }
      let node = Int(random.below(UInt64(nodes)))
      guard let view = view(node) else { continue }
      let open = Open(id: id, asked: now, until: now + Self.patience)
      if asks {
        let lease = clients[number].lease
        clients[number].question = open
        clients[number].asks = now + .seconds(clients[number].timeToLive) / 3
        // Long enough now and then to be held against what a healthy leader owes.
        let timeout: Nanoseconds = random.chance(1, in: 4) ? .milliseconds(5000) : Self.patience
        let question = ClientOperation(.question(LeaseQuestion.keepAlive(lease).encoded()), label: "keep lease \(lease) alive")
        return Wish(operation: question, node: node, timeout: timeout)
      }
      guard let request = request(of: number, seeing: view, at: now) else { continue }
      clients[number].request = open
      return Wish(
        operation: .command(request.encoded(), label: KeyValueWords.text(of: request)), node: node, timeout: Self.patience)
    }
    return nil
  }

  private mutating func request(of number: Int, seeing view: KeyValueView, at now: Instant) -> Request? {
    let client = clients[number]
    switch client.stage {
    case .granting: return .leaseGrant(LeaseGrantRequest(id: client.lease, timeToLive: client.timeToLive))
    case .claiming(let request), .leaving(let request): return request
    case .waiting(let key, let revision):
      if view.revision + 1 >= revision, view.get(key) == nil {
        take(clients[number].candidacy.released(), number, at: now)
      } else {
        clients[number].acts = now + time(upTo: 200)
      }
      return nil
    case .holding(let fence):
      if client.leaves <= now {
        leave(number, at: now)
        return nil
      }
      clients[number].writes += 1
      let put = LeaseChecker.write(client.writes, to: client.name, under: fence)
      return .transaction(TransactionRequest(underFence: fence, [.put(put)]))
    }
  }

  /// It withdraws, revokes its lease, or leaves all to time.
  private mutating func leave(_ number: Int, at now: Instant) {
    let client = clients[number]
    switch random.below(3) {
    case 0: clients[number].stage = .leaving(client.candidacy.withdrawal ?? .leaseRevoke(client.lease))
    case 1: clients[number].stage = .leaving(.leaseRevoke(client.lease))
    default: clients[number] = newcomer(at: now)
    }
  }

  private mutating func take(_ step: Candidacy.Step, _ number: Int, at now: Instant) {
    clients[number].acts = now
    switch step {
    case .perform(let request): clients[number].stage = .claiming(request)
    case .wait(let key, let revision): clients[number].stage = .waiting(key, from: revision)
    case .lost: clients[number] = newcomer(at: now)
    case .held(let fence, _):
      clients[number].stage = .holding(fence)
      counts.taken += 1
      let name = Int(clients[number].name[0] - UInt8(ascii: "0"))
      if let last = holders[name], last != number { counts.handedOn += 1 }
      holders[name] = number
      if random.chance(1, in: 3) {
        clients[number].isFrozen = true
        clients[number].asks = .never
        clients[number].acts = now + .seconds(clients[number].timeToLive) + time(upTo: 4000)
      } else {
        clients[number].leaves = now + time(upTo: 4000)
      }
    }
  }

  // MARK: What clients are told

  /// Whether the request is of one of these clients; and what is wrong with the answer.
  mutating func answered(_ id: RequestID, _ answer: ClientAnswer<KeyValueMachine>, at now: Instant) -> (isTheirs: Bool, text: String?) {
    for number in clients.indices {
      if let question = clients[number].question, question.id == id {
        clients[number].question = nil
        return (true, learn(answer, asked: question.asked, number, at: now))
      }
      if clients[number].request?.id == id {
        clients[number].request = nil
        goOn(answer, number, at: now)
        return (true, nil)
      }
    }
    return (false, nil)
  }

  private mutating func learn(
    _ answer: ClientAnswer<KeyValueMachine>, asked: Instant, _ number: Int, at now: Instant
  ) -> String? {
    guard case .answer(let bytes) = answer else {
      // Soon again, if it still cares.
      if clients[number].asks != .never { clients[number].asks = now + time(upTo: 200) }
      return nil
    }
    let lease = clients[number].lease
    switch try? LeaseAnswer(decoding: bytes[...]) {
    case .lease(let remaining, let granted):
      counts.keptAlive += 1
      return remaining > 0 ? checker.keptAlive(lease, for: granted, askedAt: asked) : "lease \(lease) is kept alive for no time"
    case .gone:
      // Who is frozen hears nothing.
      if !clients[number].isFrozen { clients[number] = newcomer(at: now) }
      return nil
    case .malformed, nil: return "the answer to who keeps lease \(lease) alive says nothing"
    }
  }

  private mutating func goOn(_ answer: ClientAnswer<KeyValueMachine>, _ number: Int, at now: Instant) {
    clients[number].acts = now + time(upTo: 400)
    switch (clients[number].stage, answer) {
    case (.granting, .output(.success)), (.granting, .output(.failure(.leaseExists))):
      clients[number].asks = now
      take(clients[number].candidacy.begin(), number, at: now)
    case (.claiming, .output(.success(let response))): take(clients[number].candidacy.answered(response), number, at: now)
    case (.holding, .output(.success(let response))):
      guard case .transaction(succeeded: false, _) = response.result else {
        guard clients[number].isFrozen else { return }
        // Nobody has noticed.
        clients[number].isFrozen = false
        clients[number].asks = now
        clients[number].leaves = now + time(upTo: 2000)
        return
      }
      counts.refused += 1
      clients[number] = newcomer(at: now)
    case (.leaving, .output): clients[number] = newcomer(at: now)
    case (_, .output(.failure(.leaseNotFound))): clients[number] = newcomer(at: now)
    default: break
    }
  }
}

extension Story {
  /// By how many millionths a clock runs fast at most.
  var fastestClock: Int64 {
    steps.reduce(0) { fastest, step in
      if case .fault(let fault) = step.action, case .drift(let rate) = fault.harm { max(fastest, rate) } else { fastest }
    }
  }
}
