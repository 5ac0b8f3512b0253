import Raft

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
    pause = .zero
    weights = Fault.Kind.allCases.filter { !$0.isDrawnApart }.map { ($0, draw(from: $0)) }
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
    var at = Instant.zero + random.nanoseconds(in: .zero...pause)
    while at < end {
      faults.append((at, fault(drawKind(of: total))))
      at = at + random.nanoseconds(in: .zero...(2 * pause))
    }
    return faults
  }

  /// Leader after leader is cut off with a minority, and comes back to lead again: processes that live long, and nothing else.
  mutating func drawCareers(isWide: Bool) -> [(at: Instant, fault: Fault)] {
    let unit: Nanoseconds = isWide ? .milliseconds(2500) : .milliseconds(500)
    var faults: [(Instant, Fault)] = []
    var at = Instant.zero + 4 * unit
    while at < end {
      let duration = random.nanoseconds(in: unit / 2...6 * unit).inWholeMilliseconds
      faults.append((at, Fault(harm(.minority), target: .leader, duration: duration)))
      at = at + duration + random.nanoseconds(in: .zero...4 * unit)
    }
    return faults
  }

  /// Leaves a majority alone for a while: what began before ends then, and what begins meanwhile hits the same minority.
  mutating func calm(_ faults: [(at: Instant, fault: Fault)], between time: ClosedRange<Instant>) -> [(at: Instant, fault: Fault)] {
    let begin = Int(random.below(UInt64(names.count)))
    let few = (0..<(names.count - 1) / 2).map { names[(begin + $0) % names.count] }
    return faults.compactMap { at, fault in
      var fault = fault
      if at < time.lowerBound {
        fault.duration = min(fault.duration, time.lowerBound - at)
        return (at, fault)
      }
      guard time.contains(at) else { return (at, fault) }
      guard !few.isEmpty, !fault.kind.isOfAll, !fault.kind.hasOther, fault.kind != .minority else { return nil }
      fault.target = .node(random.pick(few))
      return (at, fault)
    }
  }

  /// Operators ask for something now and then, whatever else happens.
  mutating func drawRequests(isWide: Bool, changingMembers: Bool) -> [(at: Instant, fault: Fault)] {
    let unit: Nanoseconds = isWide ? .milliseconds(2500) : .milliseconds(500)
    let longest = random.nanoseconds(in: 4 * unit...(changingMembers ? 10 : 20) * unit)
    var faults: [(Instant, Fault)] = []
    var at = Instant.zero + random.nanoseconds(in: .zero...longest)
    while at < end {
      faults.append((at, changingMembers ? drawRequest(unit) : drawTransfer(unit)))
      at = at + random.nanoseconds(in: .zero...longest)
    }
    return faults
  }

  /// Now and then somebody talks to one node, or to several at once.
  mutating func drawIntrusions() -> [(at: Instant, fault: Fault)] {
    let longest = random.nanoseconds(in: .milliseconds(2000) ... .milliseconds(10_000))
    var faults: [(Instant, Fault)] = []
    var at = Instant.zero + random.nanoseconds(in: .zero...longest)
    while at < end {
      faults.append((at, fault(.intrusion)))
      at = at + random.nanoseconds(in: .zero...longest)
    }
    return faults
  }

  private mutating func drawTransfer(_ unit: Nanoseconds) -> Fault {
    let other = random.chance(1, in: 3) ? "" : random.pick(names)
    let target: Fault.Target = random.chance(1, in: 8) ? .node(random.pick(names)) : .leader
    return Fault(.transfer(to: other), target: target, duration: 2 * unit)
  }

  private mutating func drawRequest(_ unit: Nanoseconds) -> Fault {
    let kinds: [Fault.Kind] = [
      .transfer, .join, .join, .join, .join, .promote, .remove, .remove, .replace, .replace, .replace, .move, .moveAll,
    ]
    let kind = random.pick(kinds)
    if kind == .transfer { return drawTransfer(unit) }
    let isOfLeader = random.chance(1, in: 4) && (kind == .remove || kind == .replace || kind == .move)
    let other = kind == .replace && random.chance(1, in: 2) ? random.pick(names) : ""
    let target: Fault.Target = isOfLeader ? .leader : .node(random.pick(names))
    let harm = Fault.Harm(kind, by: kind == .join ? Int64(random.below(2)) : 0, to: other)
    return Fault(harm, target: target, duration: .milliseconds(1))
  }

  /// What a node writes while a cluster forms, it writes once in its life: the windows between are narrow.
  private mutating func brokenBeginnings() -> [(at: Instant, fault: Fault)] {
    names.filter { _ in random.chance(1, in: 2) }.map { name in
      let fault = Fault(harm(.crashDuringRecovery), target: .node(name), duration: .milliseconds(3000))
      return (.zero + random.nanoseconds(in: .zero ... .milliseconds(300)), fault)
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
    let harm = harm(kind)
    return Fault(harm, target: target, duration: .milliseconds(Int64(20 + random.below(UInt64(longest)))))
  }

  private mutating func harm(_ kind: Fault.Kind) -> Fault.Harm {
    let other = kind.hasOther ? random.pick(names) : ""
    let amount = amount(kind)
    // Half of the starts that end early lose power.
    return Fault.Harm(kind, by: amount, to: other, losingPower: kind == .crashDuringRecovery && amount & 1 == 1)
  }

  private mutating func amount(_ kind: Fault.Kind) -> Int64 {
    let bound: ClosedRange<Int64>? =
      switch kind {
      case .crash, .powerLoss, .totalPowerLoss, .stop, .pause, .suspend, .isolation, .oneWayCut, .ring, .clog, .stalledDisk, .wipedDisk,
        .transfer, .join, .promote, .remove, .replace, .move, .moveAll:
        nil
      case .crashAtWork, .powerLossAtWork, .failedName: 0...12
      case .crashDuringRecovery: 0...40
      case .crashThenPowerLoss: 0...30
      case .restartStorm: 50...1000
      case .slowNode: 100...20_000
      case .halfDeaf, .wrongList: 0...1
      case .minority: 0...1
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
      case .rot, .misdirectedWrite, .intrusion: 0...Int64.max - 1
      case .drift: -200_000...200_000
      }
    guard let bound else { return 0 }
    return bound.lowerBound + Int64(random.below(UInt64(bound.upperBound - bound.lowerBound) + 1))
  }
}

extension Fault.Kind {
  /// An operator asks for it, and it harms nothing.
  var isRequest: Bool {
    switch self {
    case .transfer, .join, .promote, .remove, .replace, .move, .moveAll: true
    default: false
    }
  }

  /// Not one of the mixture of faults of a story.
  var isDrawnApart: Bool { isRequest || self == .intrusion }

  /// The node may never serve again.
  var takesDisk: Bool {
    switch self {
    case .rot, .misdirectedWrite, .wipedDisk: true
    default: false
    }
  }

  /// It is of a link, so it has another end.
  var hasOther: Bool {
    switch self {
    case .oneWayCut, .flapping, .clog: true
    default: false
    }
  }
}
