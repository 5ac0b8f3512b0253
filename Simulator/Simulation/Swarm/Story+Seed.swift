import Raft

/// Stories drawn from a seed: each has its own cluster, its own mixture of faults and its own load.
extension Story {
  /// Virtual time of the phase with faults, unless said otherwise.
  public static let faultPhase = Nanoseconds.milliseconds(60_000)
  /// Client operations per virtual second.
  public static let operationsPerSecond: Int64 = 52

  /// A story drawn from a seed; so is the number of nodes, if none is given.
  public init(seed: UInt64, nodes: Int? = nil, lasting duration: Nanoseconds = faultPhase) {
    var random = PseudoRandom(seed: seed)
    let drawn = [1, 2, 3, 3, 3, 3, 4, 5, 5, 5][Int(random.below(10))]
    var others = PseudoRandom(seed: ~seed)
    let isOfCareers = others.chance(1, in: 8)
    // Drawn apart, so that a story without them is the same as ever; so are intruders.
    var operators = PseudoRandom(seed: seed ^ 0x0be7_a704)
    let hasRequests = operators.chance(1, in: 3)
    let changesMembers = hasRequests && !isOfCareers && operators.chance(3, in: 4)
    let members = nodes ?? (isOfCareers ? 5 : drawn)
    let names = Array(["a", "b", "c", "d", "e", "f", "g", "h", "i"].prefix(changesMembers ? min(members, 7) + 2 : members))
    let place: Place = random.chance(1, in: 4) ? .wan : .lan
    let end = Instant.zero + duration
    var core = names
    while core.count > names.count / 2 + 1, random.chance(1, in: 2) { core.remove(at: Int(random.below(UInt64(core.count)))) }
    var scale = Self.scale(using: &random)
    Self.drawMore(of: &scale, using: &others)
    var drawer = FaultDrawer(names: names, end: end, random: PseudoRandom(seed: random.next()))
    var steps = Self.operations(on: names, until: end, using: &random).map { Step(at: $0, $1) }
    var faults = isOfCareers ? drawer.drawCareers(isWide: place == .wan) : drawer.draw()
    if changesMembers { faults.removeAll { $0.fault.kind.takesDisk } }
    if !isOfCareers, others.chance(1, in: 2) { faults = drawer.calm(faults, between: Self.quietTime(until: end, using: &others)) }
    if hasRequests {
      var requests = FaultDrawer(names: names, end: end, random: PseudoRandom(seed: operators.next()))
      faults += requests.drawRequests(isWide: place == .wan, changingMembers: changesMembers)
    }
    var intruders = PseudoRandom(seed: seed ^ 0x17_7e4d_e55e)
    if intruders.chance(1, in: 4) {
      var intrusions = FaultDrawer(names: names, end: end, random: PseudoRandom(seed: intruders.next()))
      faults += intrusions.drawIntrusions()
    }
    steps += faults.map { Step(at: $0, .fault($1)) }
    // Sorting is not stable, so equal moments are told apart by the order of drawing.
    let order = steps.indices.sorted { (steps[$0].at.nanoseconds, $0) < (steps[$1].at.nanoseconds, $1) }
    self.init(seed: seed, place: place, names: names, scale: scale, steps: order.map { steps[$0] }, end: end, core: core)
    guard changesMembers else { return }
    let founders = min(Int(operators.pick([1, 2, 3, UInt64(members)])), members)
    joining = Array(names.dropFirst(founders))
    self.core = names
  }

  /// A fifth to a half of the story in which a majority is left alone.
  private static func quietTime(until end: Instant, using random: inout PseudoRandom) -> ClosedRange<Instant> {
    let whole = end - .zero
    let begin = Instant.zero + random.nanoseconds(in: whole / 10...whole / 2)
    return begin...begin + random.nanoseconds(in: whole / 5...whole / 2)
  }

  /// How much goes into one turn, how often snapshots are taken, which bounds are small.
  private static func drawMore(of scale: inout Scale, using random: inout PseudoRandom) {
    scale.longestTurn = random.pick([.zero, .zero, .milliseconds(2), .milliseconds(5), .milliseconds(20)])
    scale.limits = random.chance(1, in: 3) ? 1 + random.below(1 << 32) : 0
    scale.linksKeepOrder = random.chance(1, in: 2)
    // Seldom: what a snapshot forgot shows when it is installed long after.
    scale.snapshotBytes = random.pick([usualSnapshotBytes, usualSnapshotBytes, usualSnapshotBytes, usualSnapshotBytes, 30_000, 200_000])
    guard scale.valueBytes == 0, random.chance(1, in: 32) else { return }
    // A state of several blocks that is larger than what the log keeps, while writes go on.
    scale.valueBytes = 3000
    scale.keys = 60
    scale.linkKilobytes = random.pick([0, 300, 1000])
    // What waits at the sender waits in its order.
    if scale.linkKilobytes > 0 { scale.linksKeepOrder = true }
  }

  /// Usually defaults; sometimes one dimension is scaled up.
  private static func scale(using random: inout PseudoRandom) -> Scale {
    var scale = Scale()
    scale.keys = random.chance(1, in: 16) ? 300 : 1 + random.below(8)
    scale.valueBytes = random.chance(1, in: 24) ? 20_000 : 0
    // Megabytes of state, copied with every snapshot, would take the time of ten other stories.
    if scale.valueBytes > 0 { scale.keys = min(scale.keys, 20) }
    scale.hasTightBounds = random.chance(1, in: 4)
    scale.keepsLittle = random.chance(1, in: 3)
    scale.starts = random.chance(1, in: 3) ? .milliseconds(5000) : .zero
    return scale
  }

  private static func operations(
    on names: [String], until end: Instant, using random: inout PseudoRandom
  ) -> [(at: Instant, action: Action)] {
    let longest = 2 * Nanoseconds.milliseconds(1000) / operationsPerSecond
    var steps: [(Instant, Action)] = []
    var at = Instant.zero
    while true {
      at = at + random.nanoseconds(in: .zero...longest)
      guard at < end else { return steps }
      // Now and then many at once, through one node: if it was just cut off, its log grows beyond what the others will ever have.
      let name = random.pick(names)
      let count = random.chance(1, in: 500) ? 60 : 1
      let timeout = Nanoseconds.milliseconds(Int64(200 + random.below(5000)))
      for _ in 0..<count { steps.append((at, .operation(number: UInt64(steps.count + 1), on: name, timeout: timeout))) }
    }
  }
}

extension Story {
  /// Lives the story through with the clients that belong to its seed: those of the link shortener for one in five, else those of the
  /// key-value store.
  public func run(tracing: Bool = false) -> RunReport {
    seed % 5 == 1 ? runLinks(tracing: tracing) : runKeyValue(tracing: tracing)
  }
}
