import Raft

/// Stories drawn from a seed: each has its own cluster, its own mixture of faults and its own load.
extension Story {
  /// Virtual time of the phase with faults, unless said otherwise.
  public static let faultPhase = Nanoseconds.milliseconds(60_000)
  /// Client operations per virtual second.
  public static let operationsPerSecond: Int64 = 52

  /// - Parameter nodes: how many; drawn if none is given.
  public init(seed: UInt64, nodes: Int? = nil, lasting duration: Nanoseconds = faultPhase) {
    var random = PseudoRandom(seed: seed)
    let drawn = [1, 2, 3, 3, 3, 3, 3, 4, 5, 5][Int(random.below(10))]
    let names = Array(["a", "b", "c", "d", "e", "f", "g", "h", "i"].prefix(nodes ?? drawn))
    let place: Place = random.chance(1, in: 4) ? .wan : .lan
    let end = Instant.zero + duration
    var core = names
    while core.count > names.count / 2 + 1, random.chance(1, in: 2) { core.remove(at: Int(random.below(UInt64(core.count)))) }
    var scale = Self.scale(using: &random)
    var others = PseudoRandom(seed: ~seed)
    scale.longestTurn = others.pick([0, 0, .milliseconds(2), .milliseconds(5), .milliseconds(20)])
    var drawer = FaultDrawer(names: names, end: end, random: PseudoRandom(seed: random.next()))
    var steps = Self.operations(on: names, until: end, using: &random).map { Step(at: $0, $1) }
    steps += drawer.draw().map { Step(at: $0, .fault($1)) }
    // Sorting is not stable, so equal moments are told apart by the order of drawing.
    let order = steps.indices.sorted { (steps[$0].at.nanoseconds, $0) < (steps[$1].at.nanoseconds, $1) }
    self.init(seed: seed, place: place, names: names, scale: scale, steps: order.map { steps[$0] }, end: end, core: core)
  }

  /// Mostly as it comes; now and then much of something.
  private static func scale(using random: inout PseudoRandom) -> Scale {
    var scale = Scale()
    scale.keys = random.chance(1, in: 16) ? 300 : 1 + random.below(8)
    scale.valueBytes = random.chance(1, in: 24) ? 20_000 : 0
    // Megabytes of state, copied with every snapshot, would take the time of ten other stories.
    if scale.valueBytes > 0 { scale.keys = min(scale.keys, 20) }
    scale.hasTightBounds = random.chance(1, in: 4)
    scale.keepsLittle = random.chance(1, in: 3)
    scale.starts = random.chance(1, in: 3) ? .milliseconds(5000) : 0
    return scale
  }

  private static func operations(
    on names: [String], until end: Instant, using random: inout PseudoRandom
  ) -> [(at: Instant, action: Action)] {
    let longest = 2 * Nanoseconds.milliseconds(1000) / operationsPerSecond
    var steps: [(Instant, Action)] = []
    var at = Instant.zero
    while true {
      at = at + random.nanoseconds(in: 0...longest)
      guard at < end else { return steps }
      // Now and then many at once, through one node: if it was just cut off, its log grows beyond what the others will ever have.
      let name = random.pick(names)
      let count = random.chance(1, in: 500) ? 60 : 1
      let timeout = Nanoseconds.milliseconds(Int64(200 + random.below(5000)))
      for _ in 0..<count { steps.append((at, .operation(number: UInt64(steps.count + 1), on: name, timeout: timeout))) }
    }
  }
}

/// Draws faults: more of some kinds in one story, none of others, so that each has its long stories.
struct FaultDrawer {
  private let names: [String]
  private let end: Instant
  private var random: PseudoRandom
  private var weights: [(kind: Fault.Kind, weight: UInt64)] = []
  /// The mean time between two faults.
  private var pause: Nanoseconds

  init(names: [String], end: Instant, random: PseudoRandom) {
    self.names = names
    self.end = end
    self.random = random
    pause = 0
    weights = Fault.Kind.allCases.map { ($0, draw(from: $0)) }
    pause = .milliseconds(Int64(300 + self.random.below(1200)))
  }

  private mutating func draw(from kind: Fault.Kind) -> UInt64 {
    // Few runs have faults that can take a node for good, so that the others keep all their nodes.
    switch kind {
    case .rot, .misdirectedWrite, .wipedDisk: random.chance(1, in: 8) ? 1 : 0
    default: random.chance(1, in: 2) ? 1 + random.below(8) : 0
    }
  }

  mutating func draw() -> [(at: Instant, fault: Fault)] {
    let total = weights.reduce(0) { $0 + $1.weight }
    guard total > 0 else { return [] }
    var faults = random.chance(1, in: 3) ? brokenBeginnings() : []
    var at = Instant.zero + random.nanoseconds(in: 0...pause)
    while at < end {
      faults.append((at, fault(drawKind(of: total))))
      at = at + random.nanoseconds(in: 0...(2 * pause))
    }
    return faults
  }

  /// What a node writes while a cluster forms, it writes once in its life: the windows between are narrow.
  private mutating func brokenBeginnings() -> [(at: Instant, fault: Fault)] {
    names.filter { _ in random.chance(1, in: 2) }.map { name in
      let fault = Fault(.brokenStart, target: .node(name), amount: amount(.brokenStart), duration: .milliseconds(3000))
      return (.zero + random.nanoseconds(in: 0 ... .milliseconds(300)), fault)
    }
  }

  private mutating func drawKind(of total: UInt64) -> Fault.Kind {
    var point = random.below(total)
    for (kind, weight) in weights {
      if point < weight { return kind }
      point -= weight
    }
    return .crash
  }

  private mutating func fault(_ kind: Fault.Kind) -> Fault {
    let target: Fault.Target = random.chance(1, in: 3) ? .leader : .node(random.pick(names))
    // Many short ones, a few that outlast every timeout.
    let longest: Int64 = random.chance(1, in: 6) ? 10_000 : 2000
    return Fault(
      kind, target: target, other: kind.hasOther ? random.pick(names) : "", amount: amount(kind),
      duration: .milliseconds(Int64(20 + random.below(UInt64(longest)))))
  }

  private mutating func amount(_ kind: Fault.Kind) -> Int64 {
    let bound: ClosedRange<Int64>? =
      switch kind {
      case .crash, .powerLoss, .totalPowerLoss, .stop, .pause, .suspend, .isolation, .oneWayCut, .ring, .clog, .stalledDisk, .wipedDisk: nil
      case .crashAtWork, .powerLossAtWork, .failedName: 0...12
      case .brokenStart: 0...40
      case .crashThenPowerLoss: 0...30
      case .restartStorm: 50...1000
      case .slowNode: 100...20_000
      case .halfDeaf, .wrongList: 0...1
      case .partition, .bridge: 1...(1 << Int64(names.count)) - 1
      case .flapping: 20...700
      case .loss: 20...500
      case .duplication: 20...500
      case .echo: 500...30_000
      case .corruption: 5...300
      case .slowNetwork: 5...1000
      case .narrowNetwork: 5...100
      case .slowDisk: 10...1000
      case .fullDisk: 0...20_000
      case .failedWrite, .failedSync: 0...20
      case .failedRead: 0...6
      case .rot, .misdirectedWrite: 0...Int64.max - 1
      case .drift: -200_000...200_000
      }
    guard let bound else { return 0 }
    return bound.lowerBound + Int64(random.below(UInt64(bound.upperBound - bound.lowerBound) + 1))
  }
}

extension Fault.Kind {
  /// It is of a link, so it has another end.
  var hasOther: Bool {
    switch self {
    case .oneWayCut, .flapping, .clog: true
    default: false
    }
  }
}
