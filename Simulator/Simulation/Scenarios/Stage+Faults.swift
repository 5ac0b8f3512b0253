import Raft
import WriteAheadLog

/// What is done to servers, links and disks.
extension Stage {
  // MARK: Processes

  /// Starts those that are down.
  public func start(_ servers: Servers) throws(ScenarioFailure) {
    note("start \(try label(servers))")
    for name in try names(of: servers) where !cluster.isRunning(name) { try startProcess(name) }
  }

  func startProcess(_ name: String) throws(ScenarioFailure) {
    do {
      try cluster.start(name)
    } catch {
      throw failure("\(name) to start from what it left", seen: "\(error)")
    }
  }

  /// The process ends; the page cache stays.
  public func crash(_ servers: Servers) throws(ScenarioFailure) {
    note("crash \(try label(servers))")
    for name in try names(of: servers) { cluster.crash(name) }
  }

  /// The machines lose power, and with it what was not synced, in part or wholly.
  public func losePower(_ servers: Servers) throws(ScenarioFailure) {
    note("\(try label(servers)): the power goes")
    for name in try names(of: servers) { cluster.losePower(name) }
  }

  /// Freezes a process, as the host of a virtual machine does.
  public func pause(_ servers: Servers) throws(ScenarioFailure) {
    note("freeze \(try label(servers))")
    for name in try names(of: servers) { cluster.pause(name) }
  }

  /// It goes on, and finds at once all that came meanwhile.
  public func resume(_ servers: Servers) throws(ScenarioFailure) {
    note("\(try label(servers)) wakes")
    for name in try names(of: servers) { cluster.resume(name) }
  }

  // MARK: Links

  /// Nothing passes between those on the left and those on the right any more.
  public func cut(_ left: Servers, _ right: Servers) throws(ScenarioFailure) {
    note("cut \(try label(left)) | \(try label(right))")
    for (a, b) in try pairs(left, right) { cluster.network.cut(a, b) }
  }

  /// Nothing goes from `sources` to `destinations` any more; the way back stays open.
  public func cut(from sources: Servers, to destinations: Servers) throws(ScenarioFailure) {
    note("cut \(try label(sources)) → \(try label(destinations))")
    for (a, b) in try pairs(sources, destinations) { cluster.network.cut(from: a, to: b) }
  }

  /// Cuts each of them off from everybody.
  public func isolate(_ servers: Servers) throws(ScenarioFailure) {
    note("isolate \(try label(servers))")
    for name in try names(of: servers) { cluster.network.isolate(name, from: cluster.names) }
  }

  /// Only the links between `center` and `rays` are left.
  public func star(_ center: Servers, _ rays: Servers) throws(ScenarioFailure) {
    note("only the links between \(center) and \(rays) are left")
    let center = try name(of: center)
    let rays = try names(of: rays)
    cluster.network.heal()
    for (a, b) in try pairs(.all, .all) where a < b {
      let isRay = a == center && rays.contains(b) || b == center && rays.contains(a)
      if !isRay { cluster.network.cut(a, b) }
    }
  }

  /// Each link carries so much from now on, and keeps the order of its frames, as connections do.
  public func narrow(toKilobytesPerSecond rate: Int64) {
    note("each link carries \(rate) kB/s")
    cluster.network.bandwidth = rate * 1000
    cluster.network.keepsOrder = true
  }

  /// Ends all cuts.
  public func heal() {
    note("heal")
    cluster.network.heal()
  }

  private func pairs(_ left: Servers, _ right: Servers) throws(ScenarioFailure) -> [(String, String)] {
    let right = try names(of: right)
    return try names(of: left).flatMap { a in right.filter { $0 != a }.map { (a, $0) } }
  }

  // MARK: Disks

  /// Puts an empty disk into a server that is down.
  public func wipe(_ server: Servers) throws(ScenarioFailure) {
    note("\(try label(server)): the disk is replaced by an empty one")
    cluster.wipe(try name(of: server))
  }

  /// One byte of what the log of a server that is down has written rots: which one is up to the seed.
  public func rot(_ server: Servers) throws(ScenarioFailure) {
    let disk = cluster.disk(of: try name(of: server))
    let logs = disk.fileNames.filter { $0.hasPrefix("log-") }
    guard !logs.isEmpty else { throw failure("a log on \(server)", seen: "\(disk.fileNames)") }
    let file = logs[Int(random.below(UInt64(logs.count)))]
    let bytes = disk.contents(of: file) ?? []
    let end = (bytes.lastIndex { $0 != 0 } ?? 0) + 1
    let offset = Int(random.below(UInt64(end)))
    disk.flip(file, at: offset, mask: UInt8(1 << random.below(8)))
    note("\(try label(server)): a bit of \(file) rots, in byte \(offset) of \(end)")
  }

  /// No byte more fits on the disk.
  public func fillDisk(_ server: Servers) throws(ScenarioFailure) {
    note("\(try label(server)): the disk is full")
    let disk = cluster.disk(of: try name(of: server))
    disk.capacity = disk.usedBytes
  }

  public func freeDisk(_ server: Servers) throws(ScenarioFailure) {
    note("\(try label(server)): there is room on the disk again")
    cluster.disk(of: try name(of: server)).capacity = .max
  }
}
