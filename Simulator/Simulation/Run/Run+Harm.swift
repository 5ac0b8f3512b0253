import Raft

/// How each fault hurts.
extension Run {
  // MARK: Processes

  /// Ends the process, if it runs, and keeps it down until `release`.
  func takeDown(_ name: String, _ kind: Fault.Kind) {
    downs[name, default: 0] += 1
    switch kind {
    case .stop: cluster.stop(name)
    // The page cache goes even if no process runs.
    case .powerLoss: cluster.losePower(name)
    default: cluster.crash(name)
    }
  }

  /// One reason less to be down; with none left, the process starts.
  func release(_ name: String) {
    downs[name] = max(0, downs[name, default: 0] - 1)
    start(name)
  }

  /// Kills the process and starts it at once.
  func startAnew(_ name: String) {
    cluster.crash(name)
    start(name)
  }

  /// A list in which somebody is missing, and a stranger named.
  func wrongList(for name: String, missing count: Int) -> [String] {
    let others = story.founders.filter { $0 != name }
    return [name, "stranger"] + others.dropLast(count)
  }

  // MARK: Links

  func links(of fault: Fault, at name: String) -> [(from: String, to: String)] {
    let names = story.names
    let others = names.filter { $0 != name }
    switch fault.harm {
    case .isolation: return others.flatMap { [(name, $0), ($0, name)] }
    case .halfDeaf(let hears): return others.map { hears ? (name, $0) : ($0, name) }
    case .oneWayCut(let other): return others.contains(other) ? [(name, other)] : []
    case .flapping(let other, _): return others.contains(other) ? [(name, other), (other, name)] : []
    case .partition, .bridge:
      let sides = sides(of: fault, at: name)
      return pairs(of: fault.kind == .bridge ? others : names).filter { sides.one.contains($0) != sides.one.contains($1) }
    case .minority(let oneFewer):
      let few = minority(around: name, oneFewer: oneFewer)
      return pairs(of: names).filter { few.contains($0) != few.contains($1) }
    case .ring: return names.count < 4 ? [] : pairs(of: names).filter { !areNeighbours($0, $1) }
    default: return []
    }
  }

  /// The target and whoever follows it in the order of names, fewer than half of all.
  func minority(around name: String, oneFewer: Bool) -> [String] {
    let names = story.names
    guard let begin = names.firstIndex(of: name) else { return [] }
    let most = (names.count - 1) / 2
    return (0..<max(min(1, most), oneFewer ? most - 1 : most)).map { names[(begin + $0) % names.count] }
  }

  /// The two parts into which a partition, or a bridge at `name`, splits the members.
  func sides(of fault: Fault, at name: String) -> (one: [String], other: [String]) {
    var members = story.names
    let side: UInt64
    switch fault.harm {
    case .minority(let oneFewer):
      let few = minority(around: name, oneFewer: oneFewer)
      return (few, members.filter { !few.contains($0) })
    case .partition(let mask): side = mask
    case .bridge(let mask):
      members.removeAll { $0 == name }
      side = mask
    default: return ([], members)
    }
    let isOfOne = members.indices.map { side >> UInt64($0) & 1 == 1 }
    return (members.indices.filter { isOfOne[$0] }.map { members[$0] }, members.indices.filter { !isOfOne[$0] }.map { members[$0] })
  }

  private func pairs(of names: [String]) -> [(from: String, to: String)] {
    names.flatMap { a in names.filter { $0 != a }.map { (a, $0) } }
  }

  private func areNeighbours(_ a: String, _ b: String) -> Bool {
    guard let i = story.names.firstIndex(of: a), let j = story.names.firstIndex(of: b) else { return false }
    let distance = abs(i - j)
    return distance == 1 || distance == story.names.count - 1
  }

  func cut(_ links: [(from: String, to: String)]) {
    for link in links { cluster.network.cut(from: link.from, to: link.to) }
  }

  func mend(_ links: [(from: String, to: String)]) {
    for link in links { cluster.network.mend(from: link.from, to: link.to) }
  }

  // MARK: Disks

  /// Damages a disk while its process is down, as far as the atlas allows.
  func beginDamage(_ name: String, _ harm: Fault.Harm) -> Bool {
    // A disk that is lost while the cluster forms may take the only vote with it: see Docs/Simulation, what the atlas keeps.
    guard atlas.mayDamage(name), oracle.lastIndex > 1 else { return false }
    takeDown(name, .crash)
    let disk = cluster.disk(of: name)
    switch harm {
    case .rot(let seed):
      var random = PseudoRandom(seed: seed)
      if let file = pickFile(disk, &random) { rot(disk, file, &random) }
    case .misdirectedWrite(let seed):
      var random = PseudoRandom(seed: seed)
      if let file = pickFile(disk, &random) { misdirect(disk, file, &random) }
    default: cluster.wipe(name)
    }
    atlas.damage(name)
    return true
  }

  /// A byte that changes, or sectors that read as zeros: a few, or all to the end of the file. Mostly where something is written: of a
  /// log's file, most is room for what comes.
  private func rot(_ disk: SimulatedDisk, _ file: String, _ random: inout PseudoRandom) {
    let bytes = disk.contents(of: file) ?? []
    let written = Self.writtenSectors(of: bytes)
    if !written.isEmpty, random.chance(1, in: 2) {
      let first = random.pick(written)
      let count = random.chance(1, in: 2) ? bytes.count / SimulatedDisk.sectorSize - first : 1 + Int(random.below(4))
      for sector in first..<first + count { disk.zeroSector(file, sector) }
      return
    }
    var place = Int(random.below(UInt64(bytes.count)))
    if !written.isEmpty, random.chance(3, in: 4) {
      place = random.pick(written) * SimulatedDisk.sectorSize + place % SimulatedDisk.sectorSize
    }
    disk.flip(file, at: place, mask: UInt8(1 + random.below(255)))
  }

  private static func writtenSectors(of bytes: [UInt8]) -> [Int] {
    let size = SimulatedDisk.sectorSize
    let free = Array("CoracleF".utf8)
    return (0..<bytes.count / size).filter { number in
      let sector = bytes[number * size..<(number + 1) * size]
      return !sector.starts(with: free) && sector.contains { $0 != 0 }
    }
  }

  /// Writes what stands somewhere in the file somewhere else too.
  private func misdirect(_ disk: SimulatedDisk, _ file: String, _ random: inout PseudoRandom) {
    let bytes = disk.contents(of: file) ?? []
    let written = Self.writtenSectors(of: bytes)
    guard !written.isEmpty else { return }
    disk.copySector(file, from: random.pick(written), to: Int(random.below(UInt64(bytes.count / SimulatedDisk.sectorSize))))
  }

  private func pickFile(_ disk: SimulatedDisk, _ random: inout PseudoRandom) -> String? {
    let files = disk.fileNames.filter { !(disk.contents(of: $0) ?? []).isEmpty }
    return files.isEmpty ? nil : random.pick(files)
  }

  // MARK: What holds for all, or for a while

  func prepareNetwork() {
    guard story.place == .wan else { return }
    for from in story.names {
      for to in story.names where to != from {
        let shortest = random.nanoseconds(in: .milliseconds(20) ... .milliseconds(120))
        cluster.network.setLatency(shortest...shortest + .milliseconds(30), from: from, to: to)
      }
    }
  }

  /// Sets what several faults may change at once: the worst of them counts.
  func adjust() {
    func worst(on name: String? = nil, _ amount: (Fault.Harm) -> Int?) -> Int {
      active.filter { name == nil || $0.name == name }.compactMap { amount($0.fault.harm) }.max() ?? 0
    }
    func longest(on name: String? = nil, _ time: (Fault.Harm) -> Nanoseconds?) -> Nanoseconds {
      active.filter { name == nil || $0.name == name }.compactMap { time($0.fault.harm) }.max() ?? .zero
    }
    let isWide = story.place == .wan
    cluster.network.lossPerMille = UInt64(max(isWide ? 5 : 0, worst { if case .loss(let perMille) = $0 { perMille } else { nil } }))
    cluster.network.duplicatesPerMille = UInt64(worst { if case .duplication(let perMille) = $0 { perMille } else { nil } })
    cluster.network.corruptionPerMille = UInt64(worst { if case .corruption(let perMille) = $0 { perMille } else { nil } })
    cluster.network.echo = longest { if case .echo(let time) = $0 { time } else { nil } }
    cluster.network.extraLatency = longest { if case .slowNetwork(let time) = $0 { time } else { nil } }
    let narrow = Int64(worst { if case .narrowNetwork(let rate) = $0 { rate } else { nil } })
    cluster.network.bandwidth = (narrow > 0 ? narrow : story.scale.linkKilobytes) * 1000
    cluster.network.latency = .microseconds(100) ... .milliseconds(5)
    for name in story.names {
      cluster.slow(name, turnTime: longest(on: name) { if case .slowNode(let time) = $0 { time } else { nil } })
      var drift: Int64 = 0
      for fault in active where fault.name == name { if case .drift(let rate) = fault.fault.harm { drift = rate } }
      cluster.drift(name, perMillion: drift)
      let slowest = longest(on: name) { if case .slowDisk(let time) = $0 { time } else { nil } }
      let usual: ClosedRange<Nanoseconds> = isWide ? .milliseconds(5) ... .milliseconds(30) : .microseconds(100) ... .milliseconds(3)
      cluster.setSyncLatency(usual.lowerBound...usual.upperBound + slowest, of: name)
    }
  }

  /// All faults end. The core is whole again; whoever is not of the core is down, or cut off, for good.
  func endAllFaults(healing core: [String]) {
    let outside = story.names.filter { !core.contains($0) }
    for fault in active.reversed() { end(fault.number) }
    cluster.network.heal()
    if !story.changesMembers { for name in outside { breakForGood(name) } }
    for name in core {
      downs[name] = 0
      start(name)
    }
  }
}

extension Run {
  /// What is broken for good must not keep the core from serving: down, cut off, deaf or dumb.
  private func breakForGood(_ name: String) {
    let others = story.names.filter { $0 != name }
    switch random.below(4) {
    case 0: takeDown(name, .crash)
    case 1: cluster.network.isolate(name, from: others)
    case 2: for other in others { cluster.network.cut(from: other, to: name) }
    default: for other in others { cluster.network.cut(from: name, to: other) }
    }
  }
}

extension Fault.Kind {
  /// It waits for the next work on the disk, and may find none.
  var isArmed: Bool {
    switch self {
    case .crashAtWork, .powerLossAtWork, .crashDuringRecovery, .crashThenPowerLoss, .failedWrite, .failedSync, .failedName, .failedRead:
      true
    default: false
    }
  }

  /// It ends the process in the middle of its work on the disk.
  var endsProcess: Bool {
    switch self {
    case .crashAtWork, .powerLossAtWork, .crashDuringRecovery, .crashThenPowerLoss: true
    default: false
    }
  }

  /// It hurts all nodes alike, whomever it names.
  var isOfAll: Bool {
    switch self {
    case .totalPowerLoss, .partition, .bridge, .loss, .duplication, .echo, .corruption, .slowNetwork, .narrowNetwork, .ring: true
    default: false
    }
  }

  /// The calls of a disk that it makes fail.
  var verbs: [SimulatedDisk.Verb] {
    switch self {
    case .failedWrite: [.write]
    case .failedSync: [.sync]
    case .failedName: [.open, .rename, .remove, .syncDirectory]
    case .failedRead: [.read]
    default: []
    }
  }
}
