import Raft

/// A fault that has begun: whom it hit, and what it takes to end it.
struct ActiveFault {
  let number: Int
  let fault: Fault
  /// Whom it hit.
  let name: String
  /// Calls of its disk that had failed before.
  let failedCalls: Int
  /// Links that it cut, and whether they are cut just now.
  var links: [(from: String, to: String)] = []
  var isCut = true
  /// Decides what intruders do.
  var random: PseudoRandom
}

/// Faults begin and end here: one exhaustive switch for each. `Run+Harm.swift` has how it is done.
extension Run {
  /// Does what the story says, if there is somebody whom it can hurt and the atlas allows it.
  func begin(_ fault: Fault) {
    guard let name = resolve(fault.target) else { return }
    begun += 1
    var new = ActiveFault(
      number: begun, fault: fault, name: name, failedCalls: cluster.disk(of: name).failedCalls,
      random: PseudoRandom(seed: UInt64(bitPattern: fault.harm.amount)))
    guard begin(&new) else { return }
    if !fault.kind.isArmed { count(fault.kind) }
    active.append(new)
    touch(new)
    trace(new)
    dues.plan(.end(new.number), at: cluster.now + max(Nanoseconds(1), fault.duration))
    adjust()
  }

  /// Ends it, if it has not ended yet.
  func end(_ number: Int) {
    guard let place = active.firstIndex(where: { $0.number == number }) else { return }
    touch(active[place])
    undo(active.remove(at: place))
    cluster.trace?.add(.faultEnded(fault: number), at: cluster.now)
    adjust()
  }

  private func trace(_ new: ActiveFault) {
    guard cluster.trace != nil else { return }
    let label = new.fault.shortText(at: new.name, sides: sides(of: new.fault, at: new.name))
    let hit = new.fault.kind.isOfAll ? [] : [new.name] + [new.fault.harm.otherEnd].compactMap(\.self)
    cluster.trace?.add(.faultBegan(fault: new.number, label: label, nodes: hit.map(cluster.index)), at: cluster.now)
  }

  private func resolve(_ target: Fault.Target) -> String? {
    switch target {
    case .leader: cluster.leader
    case .node(let name): name
    }
  }

  func count(_ kind: Fault.Kind) {
    if let place = Fault.Kind.allCases.firstIndex(of: kind) { report.faults[place] += 1 }
  }

  /// False if there is nothing to hurt.
  private func begin(_ new: inout ActiveFault) -> Bool {
    let (name, fault) = (new.name, new.fault)
    switch fault.harm {
    case .crash, .stop:
      guard cluster.isRunning(name) else { return false }
      takeDown(name, fault.kind)
    case .powerLoss: takeDown(name, .powerLoss)
    case .totalPowerLoss: for name in story.names { takeDown(name, .powerLoss) }
    case .crashDuringRecovery(let calls, let losingPower):
      cluster.crash(name)
      cluster.end(name, afterDiskOperations: calls, losingPower: losingPower)
      start(name)
    case .crashAtWork(let calls), .powerLossAtWork(let calls), .crashThenPowerLoss(let calls):
      guard cluster.isRunning(name) else { return false }
      cluster.end(name, afterDiskOperations: calls, losingPower: fault.kind == .powerLossAtWork)
    case .restartStorm, .intrusion: dues.plan(.goOn(new.number), at: cluster.now)
    case .pause, .suspend:
      guard cluster.isRunning(name), !cluster.isPaused(name) else { return false }
      cluster.pause(name)
    case .isolation, .oneWayCut, .halfDeaf, .minority, .partition, .bridge, .ring, .flapping:
      new.links = links(of: fault, at: name)
      guard !new.links.isEmpty else { return false }
      cut(new.links)
      if case .flapping(_, let time) = fault.harm { dues.plan(.goOn(new.number), at: cluster.now + max(.milliseconds(1), time)) }
    case .clog(let other):
      guard other != name, story.names.contains(other) else { return false }
      cluster.network.clog(from: name, to: other)
    case .loss, .duplication, .echo, .corruption, .slowNetwork, .narrowNetwork, .slowNode, .slowDisk, .drift: break
    case .stalledDisk: cluster.stallDisk(of: name, for: fault.duration)
    case .fullDisk(let bytesLeft): cluster.disk(of: name).capacity = cluster.disk(of: name).usedBytes + bytesLeft
    case .failedWrite(let calls), .failedSync(let calls), .failedName(let calls), .failedRead(let calls):
      for verb in fault.kind.verbs { cluster.disk(of: name).fail(verb, after: calls) }
      if fault.kind == .failedRead { startAnew(name) }
    case .rot, .misdirectedWrite, .wipedDisk: return beginDamage(name, fault.harm)
    case .join, .promote, .remove, .replace, .move, .moveAll: return change(name, fault.harm)
    case .transfer(let other):
      guard cluster.isRunning(name), cluster.status(of: name)?.role == .leader else { return false }
      ask(.transfer(to: other.isEmpty ? nil : cluster.identity(of: other)), on: name)
    case .wrongList(let missing):
      guard !members.joiners.contains(name) else { return false }
      cluster.setList(wrongList(for: name, missing: missing), of: name)
      startAnew(name)
    }
    return true
  }

  private func undo(_ old: ActiveFault) {
    let (name, fault) = (old.name, old.fault)
    switch fault.harm {
    case .crash, .stop, .powerLoss, .rot, .misdirectedWrite, .wipedDisk: release(name)
    case .totalPowerLoss: for name in story.names { release(name) }
    case .crashAtWork, .powerLossAtWork, .crashDuringRecovery, .crashThenPowerLoss: cluster.disk(of: name).powerFailsAfter = .max
    case .pause: cluster.resume(name)
    case .suspend: cluster.resume(name, clockStoodStill: true)
    case .isolation, .oneWayCut, .halfDeaf, .minority, .partition, .bridge, .ring, .flapping: if old.isCut { mend(old.links) }
    case .clog(let other): cluster.unclog(from: name, to: other)
    case .fullDisk: cluster.disk(of: name).capacity = .max
    case .failedWrite, .failedSync, .failedName, .failedRead:
      for verb in fault.kind.verbs { cluster.disk(of: name).stopFailing(verb) }
      if cluster.disk(of: name).failedCalls > old.failedCalls { count(fault.kind) }
    case .wrongList:
      if !members.joiners.contains(name) { cluster.setList(story.founders, of: name) }
      startAnew(name)
    case .restartStorm, .loss, .duplication, .echo, .corruption, .slowNetwork, .narrowNetwork, .slowNode, .slowDisk, .stalledDisk,
      .drift, .intrusion, .transfer, .join, .promote, .remove, .replace, .move, .moveAll:
      break
    }
  }

  /// The next moment of a fault that has several.
  func goOn(_ number: Int) {
    guard let place = active.firstIndex(where: { $0.number == number }) else { return }
    let (name, fault) = (active[place].name, active[place].fault)
    switch fault.harm {
    case .flapping(_, let time):
      if active[place].isCut { mend(active[place].links) } else { cut(active[place].links) }
      active[place].isCut.toggle()
      dues.plan(.goOn(number), at: cluster.now + max(.milliseconds(1), time))
    case .crashThenPowerLoss:
      cluster.losePower(name)
      start(name)
    case .restartStorm(let time):
      startAnew(fault.target == .leader ? cluster.leader ?? name : name)
      dues.plan(.goOn(number), at: cluster.now + max(.milliseconds(1), time))
    case .intrusion:
      var random = active[place].random
      intrude(on: name, using: &random)
      dues.plan(.goOn(number), at: cluster.now + random.nanoseconds(in: .milliseconds(1) ... .milliseconds(100)))
      active[place].random = random
    default: break
    }
  }
}

/// Which copies of what was acknowledged must survive, so which faults are allowed: a fault that would take more is not done.
///
/// At most a minority may lose its disk for good, by whatever fault. Everything else leaves on disk what was synced.
struct FaultAtlas {
  private let nodeCount: Int
  /// Nodes whose disk lost something for good: they may serve again or not, and nobody counts on them.
  private(set) var damaged: [String] = []

  init(nodeCount: Int) { self.nodeCount = nodeCount }

  /// Whether the disk of one more node may be damaged; those already damaged may be again.
  func mayDamage(_ name: String) -> Bool { damaged.contains(name) || damaged.count < (nodeCount - 1) / 2 }

  mutating func damage(_ name: String) {
    if !damaged.contains(name) { damaged.append(name) }
  }
}
