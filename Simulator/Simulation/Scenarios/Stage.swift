import KeyValue
import Raft
import Replica

/// Where a scenario plays: a world of servers and the steps that may be done to it.
///
/// Checkers look on after every event, whether asked or not: no two answers to clients may contradict each other (`Testimony`), the
/// cluster's own checker must find nothing, and at the end, when all faults are over, every server must show everything that was
/// acknowledged. Each step is a line of `transcript`. For one thread.
public final class Stage {
  /// Random numbers of this seed, for what a scenario leaves open.
  public var random: PseudoRandom
  public private(set) var transcript: [String] = []
  var world: World
  private let seed: UInt64
  private var worlds: UInt64 = 0
  /// Of the worlds before this one.
  private var past: UInt64 = 0
  private var pastTraces: [Trace] = []

  init(names: [String], seed: UInt64, tracing: Bool) {
    self.seed = seed
    random = PseudoRandom(seed: seed ^ 0x57a6e)
    world = World(names: names, lists: [:], seed: seed, settings: ReplicaSettings())
    if tracing { cluster.trace = Trace(names: names) }
    nearby()
  }

  var cluster: World.Cluster { world.cluster }
  /// Of all worlds so far in which anything happened; empty if there is no tracing.
  var traces: [Trace] { pastTraces + [cluster.trace].compactMap { $0 }.filter { !$0.events.isEmpty } }
  var fingerprint: UInt64 { PseudoRandom.mix(past, cluster.fingerprint) }

  /// What a server knows of itself; `nil` when it is down, or when not one server is meant.
  public func status(_ server: Servers) -> ReplicaStatus? { (try? name(of: server)).flatMap { cluster.status(of: $0) } }

  // MARK: Worlds

  /// Ends this world, and goes on in another one, where nothing has been started yet and the time is zero.
  /// `knowledge` says whom each server was told of, itself included; a server without a list knows all.
  public func newWorld(
    _ servers: [Servers], knowing knowledge: [(server: Servers, list: [Servers])] = [], settings: ReplicaSettings = ReplicaSettings()
  ) throws(ScenarioFailure) {
    try endWorld()
    past = fingerprint
    pastTraces = traces
    let isTracing = cluster.trace != nil
    worlds += 1
    let names = servers.map(\.description)
    var told: [String: [String]] = [:]
    for (server, list) in knowledge { told[server.description] = list.map(\.description) }
    world = World(
      names: names, lists: told, seed: PseudoRandom.mix(seed, worlds), settings: settings)
    if isTracing { cluster.trace = Trace(names: names) }
    nearby()
    note("a new world of \(names.joined(separator: ", "))")
    for (server, list) in knowledge { note("\(server) was told of \(Servers(.several(list)))") }
  }

  /// Servers in one place: frames take a few tenths of a millisecond, up to two.
  private func nearby() { cluster.network.latency = .microseconds(200) ... .milliseconds(2) }

  /// When all faults are over, every server serves again, and shows everything that was acknowledged.
  func endWorld() throws(ScenarioFailure) {
    guard cluster.names.contains(where: { world.hasAcknowledged($0) }) else { return try checkPromises() }
    note("the end: all faults are over")
    cluster.network.heal()
    for name in cluster.names where !world.writtenOff.contains(name) {
      if cluster.isPaused(name) { cluster.resume(name) }
      if !cluster.isRunning(name) { try startProcess(name) }
    }
    let servers = cluster.names.filter { world.hasAcknowledged($0) && !world.writtenOff.contains($0) }
    for name in servers { try expectState(on: Servers(name), within: .milliseconds(15_000)) }
    try expectConverged(servers.map { Servers($0) })
  }

  // MARK: Time

  /// Lets so much virtual time pass.
  public func wait(_ duration: Nanoseconds) throws(ScenarioFailure) {
    note("wait \(duration.inMilliseconds)")
    _ = try pass(duration) { false }
  }

  /// When a condition has to be looked at again.
  enum Moment {
    case everyEvent
    /// Enough for whatever is about leaders: one that comes or goes is said.
    case everyNotice
  }

  /// Lets time pass until `condition` holds; false if it does not within `limit`.
  func pass(_ limit: Nanoseconds, looking moment: Moment = .everyEvent, until condition: () -> Bool) throws(ScenarioFailure) -> Bool {
    let end = cluster.now + limit
    var isFirst = true
    let holds = cluster.run(within: limit) {
      let isNews = world.observe() || isFirst || moment == .everyEvent
      isFirst = false
      return isNews && condition()
    }
    if !holds, cluster.now < end { cluster.run(for: end - cluster.now) }
    world.observe()
    try checkPromises()
    return holds
  }

  private func checkPromises() throws(ScenarioFailure) {
    let violations = world.violations
    guard violations.isEmpty else { throw failure("that no promise is broken", seen: violations.prefix(5).joined(separator: "; ")) }
  }

  // MARK: Words

  func note(_ line: String) {
    transcript.append("\(cluster.now.inMilliseconds)  \(line)")
    cluster.trace?.add(.phase(line), at: cluster.now)
  }

  func failure(_ expected: String, seen: String) -> ScenarioFailure {
    ScenarioFailure(at: cluster.now, expected: expected, seen: seen)
  }

  /// As the transcript shows them: those that are meant by what they do, by name too.
  func label(_ servers: Servers) throws(ScenarioFailure) -> String {
    switch servers.choice {
    case .leader, .followers: "\(servers) (\(try names(of: servers).joined(separator: ", ")))"
    case .named, .all, .several: servers.description
    }
  }

  // MARK: Servers

  /// The one server that is meant now.
  func name(of server: Servers) throws(ScenarioFailure) -> String {
    let names = try names(of: server)
    guard names.count == 1 else { throw failure("\(server) to be one server", seen: names.isEmpty ? "none" : "\(names)") }
    return names[0]
  }

  /// The servers that are meant now, in the order of the world. Where a world has several clusters, name whom you mean: only one leader is
  /// found.
  func names(of servers: Servers) throws(ScenarioFailure) -> [String] {
    switch servers.choice {
    case .named(let name):
      guard cluster.names.contains(name) else { throw failure("a server called \(name)", seen: "\(cluster.names)") }
      return [name]
    case .leader:
      guard let leader = world.leaders.last else { throw failure("a leader", seen: world.picture) }
      return [leader]
    case .followers:
      let leaders = world.leaders
      return cluster.names.filter { cluster.isRunning($0) && !leaders.contains($0) }
    case .all(let others):
      let others = try names(of: others)
      return cluster.names.filter { !others.contains($0) }
    case .several(let parts):
      var chosen: [String] = []
      for part in parts { chosen += try names(of: part) }
      return cluster.names.filter { chosen.contains($0) }
    }
  }
}

extension PseudoRandom {
  /// One number from two.
  static func mix(_ left: UInt64, _ right: UInt64) -> UInt64 {
    var random = PseudoRandom(seed: left ^ (right &* 0x9e37_79b9_7f4a_7c15))
    return random.next()
  }
}
