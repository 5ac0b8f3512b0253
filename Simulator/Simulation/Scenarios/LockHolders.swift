import KeyValue
import Raft
import Replica

/// Many clients of a scenario, as programs keep them: each stays with one node as long as that serves it, and goes to another when it does
/// not. The first hold a lock each, write under it, and keep its lease alive; the others wait for one of these locks.
final class LockHolders {
  typealias Cluster = World.Cluster

  private enum Phase {
    case granting
    case claiming(Request)
    case waiting(Key, from: Revision)
    case holding(Fence)
    case givingBack
    /// Freezes in the belief that it holds; it wakes when another has the lock, and writes.
    case frozen(Fence)
    /// Has written under a lock that it may have lost; or holds nothing any more.
    case woken(Fence)
    case gone
  }

  private struct Client {
    let lock: Int
    let lease: LeaseID
    var candidacy: Candidacy
    var phase = Phase.granting
    /// The node that it talks to.
    var node: String?
    var request: (id: RequestID, until: Instant)?
    /// When it asks for something again.
    var acts: Instant
    var question: (id: RequestID, until: Instant)?
    /// When it keeps its lease alive again.
    var asks = Instant.never
    /// How many of its requests were not done, and how often it went to another node.
    var failures = 0
    var moves = 0
  }

  /// What was acknowledged of a lock: the newest write under it, and from when on nobody holds it who could.
  private struct Lock {
    var written: (revision: Revision, token: Revision)?
    var holder: Int?
    var freeSince: Instant?
  }

  static let timeToLive: Int64 = 9
  /// Whoever waits has a lock within this time after its holder fell silent, or a new leader came, which lets all leases begin anew: a
  /// lease's time, and what it takes to let it expire, and to find out that one waits at a node that is none any more.
  static let handOnBound = Nanoseconds.seconds(timeToLive + 5)
  private static let patience = Nanoseconds.milliseconds(2000)
  private static let pause = Nanoseconds.milliseconds(200)
  private static let writeInterval = Nanoseconds.milliseconds(4000)

  private let cluster: Cluster
  private var random: PseudoRandom
  private var clients: [Client] = []
  private var locks: [Lock]
  /// Nodes that take no new clients, as half of the clients hear: they are to stop.
  private var leaving: [String] = []
  /// Who leads, and since when.
  private var led: (term: Term?, since: Instant)

  private(set) var keptAlive = 0
  private(set) var writes = 0
  private(set) var refused = 0
  private(set) var handedOn = 0
  private(set) var longestHandOn = Nanoseconds.zero

  /// As many clients as locks, and as many more that each wait for one of the first locks.
  init(_ cluster: Cluster, locks: Int, rivals: Int, seed: UInt64) {
    self.cluster = cluster
    self.locks = Array(repeating: Lock(), count: locks)
    random = PseudoRandom(seed: seed)
    led = (nil, cluster.now)
    for number in 0..<locks + rivals {
      let (lock, lease) = (number % locks, LeaseID(number + 1))
      let candidacy = Candidacy(name: Array("lock-\(lock)".utf8), lease: lease)
      // Those who are to wait come when the others hold.
      let acts = number < locks ? cluster.now : .never
      clients.append(Client(lock: lock, lease: lease, candidacy: candidacy, acts: acts))
    }
  }

  // MARK: What the scenario does

  var allHold: Bool { locks.allSatisfy { $0.holder != nil } }

  var allWait: Bool {
    clients[locks.count...].allSatisfy { if case .waiting = $0.phase { true } else { false } }
  }

  /// Whether nobody waits for what nobody holds, and whoever froze has woken.
  var isAtRest: Bool {
    allHold && clients.allSatisfy { client in if case .frozen = client.phase { false } else { true } }
  }

  func letRivalsCome() { for number in locks.count..<clients.count { clients[number].acts = cluster.now } }

  /// The holder of this lock hears and says nothing any more, until another holds it.
  func freeze(holderOf lock: Int) {
    guard let number = locks[lock].holder, case .holding(let fence) = clients[number].phase else { return }
    clients[number].phase = .frozen(fence)
    clients[number].asks = .never
    setFree(lock)
  }

  /// The holder of this lock gives it back, with its lease.
  func giveBack(_ lock: Int) {
    guard let number = locks[lock].holder, case .holding = clients[number].phase else { return }
    clients[number].phase = .givingBack
    clients[number].asks = .never
    clients[number].acts = cluster.now
    setFree(lock)
  }

  private func setFree(_ lock: Int) {
    locks[lock].holder = nil
    locks[lock].freeSince = cluster.now
  }

  /// It is to stop. Half of its clients hear of it, and go elsewhere when they ask next; the others find it gone.
  func avoid(_ node: String) { leaving.append(node) }

  /// Requests that were not done, and moves to another node, of the client that has most of them.
  var mostFailures: Int { clients.reduce(0) { max($0, $1.failures) } }
  var mostMoves: Int { clients.reduce(0) { max($0, $1.moves) } }

  // MARK: What clients do

  /// All that want something by now ask for it, and hear what came of what they asked.
  /// - Returns: what is wrong.
  func live() -> String? {
    let term = cluster.leader.flatMap { cluster.status(of: $0)?.term }
    if term == nil || term != led.term { led = (term, cluster.now) }
    for number in clients.indices {
      if let text = hear(number) ?? hearOfLease(number) ?? checkHandOn(number) { return text }
      ask(number)
    }
    return nil
  }

  private func checkHandOn(_ number: Int) -> String? {
    guard number < locks.count, let since = locks[number].freeSince, cluster.now - max(since, led.since) > Self.handOnBound else {
      return nil
    }
    return "nobody has lock \(number), \((cluster.now - since).inMilliseconds) after its holder fell silent"
  }

  /// The node that it talks to, or another one if that is down or going.
  private func node(of number: Int) -> String? {
    guard let current = clients[number].node, cluster.isRunning(current), !number.isMultiple(of: 2) || !leaving.contains(current) else {
      return move(number)
    }
    return current
  }

  @discardableResult
  private func move(_ number: Int) -> String? {
    let current = clients[number].node
    // Those that are members already: clients are told of no others.
    let others = cluster.names.filter { $0 != current && !leaving.contains($0) && isMember($0) }
    guard !others.isEmpty else { return nil }
    if current != nil { clients[number].moves += 1 }
    clients[number].node = others[Int(random.below(UInt64(others.count)))]
    return clients[number].node
  }

  private func isMember(_ name: String) -> Bool {
    guard let status = cluster.status(of: name) else { return false }
    return status.configuration?.isVoter(status.node) == true
  }

  private func ask(_ number: Int) {
    let now = cluster.now
    if clients[number].asks <= now, clients[number].question == nil, let node = node(of: number) {
      let question = LeaseQuestion.keepAlive(clients[number].lease).encoded()
      clients[number].question = (cluster.ask(question, on: node, timeout: Self.patience), now + Self.patience + Self.pause)
      clients[number].asks = now + .seconds(Self.timeToLive) / 3
    }
    guard clients[number].acts <= now, clients[number].request == nil, let node = node(of: number),
      let request = request(number, on: node)
    else { return }
    clients[number].request = (cluster.propose(request.encoded(), on: node, timeout: Self.patience), now + Self.patience + Self.pause)
  }

  private func request(_ number: Int, on node: String) -> Request? {
    let client = clients[number]
    switch client.phase {
    case .granting: return .leaseGrant(LeaseGrantRequest(id: client.lease, timeToLive: Self.timeToLive))
    case .claiming(let request): return request
    case .waiting(let key, let revision):
      // As a watch on its node tells it.
      guard let view = cluster.view(of: node), view.revision + 1 >= revision, view.get(key) == nil else { return nil }
      take(clients[number].candidacy.released(), number)
      return request(number, on: node)
    case .holding(let fence), .woken(let fence): return write(client.lock, fence)
    case .givingBack: return .leaseRevoke(client.lease)
    case .frozen(let fence):
      guard locks[client.lock].holder != nil else { return nil }
      clients[number].phase = .woken(fence)
      return write(client.lock, fence)
    case .gone: return nil
    }
  }

  private func write(_ lock: Int, _ fence: Fence) -> Request {
    let put = PutRequest(key: Self.state(of: lock), value: Array("\(fence.token)".utf8))
    return .transaction(TransactionRequest(underFence: fence, [.put(put)]))
  }

  private static func state(of lock: Int) -> Key { Array("state-\(lock)".utf8) }

  private func take(_ step: Candidacy.Step, _ number: Int) {
    clients[number].acts = cluster.now
    switch step {
    case .perform(let request): clients[number].phase = .claiming(request)
    case .wait(let key, let revision): clients[number].phase = .waiting(key, from: revision)
    case .lost: clients[number].phase = .gone
    case .held(let fence, _): clients[number].phase = .holding(fence)
    }
  }

  // MARK: What clients are told

  private func hear(_ number: Int) -> String? {
    guard let (id, until) = clients[number].request else { return nil }
    switch cluster.outcome(of: id) {
    case .applied(let result)?:
      clients[number].request = nil
      return goOn(result, number)
    case nil where cluster.now < until: return nil
    case let outcome:
      clients[number].request = nil
      clients[number].acts = cluster.now + Self.pause
      return fail(number, outcome)
    }
  }

  /// Asked again after a moment; elsewhere, unless the node has only too much to do. Silence is no answer: a node that stops says so.
  private func fail(_ number: Int, _ outcome: Cluster.Outcome?) -> String? {
    clients[number].failures += 1
    guard case .failed(let error)? = outcome else { return "client \(number) is not answered" }
    if error.reason != .busy { move(number) }
    return nil
  }

  private func goOn(_ result: Result<Response, KeyValueError>, _ number: Int) -> String? {
    switch (clients[number].phase, result) {
    case (.granting, .success), (.granting, .failure(.leaseExists)):
      clients[number].asks = cluster.now
      take(clients[number].candidacy.begin(), number)
    case (.claiming, .success(let response)):
      take(clients[number].candidacy.answered(response), number)
      if case .holding(let fence) = clients[number].phase { return hold(number, fence) }
      if case .gone = clients[number].phase { return "client \(number) keeps its lease alive, and its claim is gone" }
    case (.holding(let fence), .success(let response)), (.frozen(let fence), .success(let response)): return wrote(number, fence, response)
    case (.givingBack, .success(let response)):
      // It may have written just before.
      guard case .leaseRevoked = response.result else { return clients[number].candidacy.fence.flatMap { wrote(number, $0, response) } }
      clients[number].phase = .gone
    case (.givingBack, .failure(.leaseNotFound)): clients[number].phase = .gone
    case (.woken, .success(let response)):
      clients[number].phase = .gone
      guard case .transaction(succeeded: false, _) = response.result else {
        return "client \(number) wakes, and writes under a lock that another has"
      }
      refused += 1
    case (_, .failure(let error)): return "client \(number) is told \(error)"
    default: break
    }
    return nil
  }

  private func hold(_ number: Int, _ fence: Fence) -> String? {
    let lock = clients[number].lock
    if let other = locks[lock].holder { return "client \(number) gets lock \(lock), and client \(other) has it" }
    if let token = locks[lock].written?.token, fence.token <= token {
      return "client \(number) gets lock \(lock) with token \(fence.token), after \(token)"
    }
    locks[lock].holder = number
    if let since = locks[lock].freeSince {
      handedOn += 1
      longestHandOn = max(longestHandOn, cluster.now - since)
    }
    locks[lock].freeSince = nil
    return nil
  }

  private func wrote(_ number: Int, _ fence: Fence, _ response: Response) -> String? {
    clients[number].acts = cluster.now + Self.writeInterval
    let lock = clients[number].lock
    guard case .transaction(succeeded: true, _) = response.result else {
      if case .frozen = clients[number].phase { return nil }
      return "client \(number) keeps its lease alive, and may not write under lock \(lock)"
    }
    writes += 1
    guard response.revision > locks[lock].written?.revision ?? 0 else { return nil }
    if let token = locks[lock].written?.token, token > fence.token {
      return "token \(fence.token) of lock \(lock) is accepted after \(token)"
    }
    locks[lock].written = (response.revision, fence.token)
    return nil
  }

  private func hearOfLease(_ number: Int) -> String? {
    guard let (id, until) = clients[number].question else { return nil }
    switch cluster.outcome(of: id) {
    case .answered(let bytes)?:
      clients[number].question = nil
      // Who froze or gives it back does not mind.
      guard clients[number].asks != .never else { return nil }
      guard case .lease(let remaining, _)? = try? LeaseAnswer(decoding: bytes[...]), remaining > 0 else {
        return "the lease of client \(number) is gone, though it was kept alive"
      }
      keptAlive += 1
    case nil where cluster.now < until: break
    case let outcome:
      clients[number].question = nil
      if clients[number].asks != .never { clients[number].asks = cluster.now + Self.pause }
      return fail(number, outcome)
    }
    return nil
  }

  // MARK: In the end

  /// What is not in a state as clients were told: who holds each lock, and what was written under it.
  func difference(in view: KeyValueView) -> String? {
    for (number, lock) in locks.enumerated() {
      guard let holder = lock.holder, case .holding(let fence) = clients[holder].phase else { return "nobody holds lock \(number)" }
      guard case .success(let response) = view.answer(Request.range(Candidacy.holder(of: Array("lock-\(number)".utf8)))),
        case .range(let range) = response.result, range.pairs.first?.createRevision == fence.token
      else { return "another than client \(holder) has lock \(number)" }
      guard let written = lock.written else { continue }
      guard let pair = view.get(Self.state(of: number)), pair.modRevision >= written.revision else {
        return "what was written under lock \(number) at revision \(written.revision) is lost"
      }
    }
    return nil
  }
}
