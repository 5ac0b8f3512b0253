import WriteAheadLog

/// What else happens to disks: calls that fail, bytes that rot, sectors that are lost or land in the wrong place.
extension SimulatedDisk {
  /// Calls that are to fail.
  struct Fault {
    let verb: Verb
    let prefix: String
    let reason: DiskError.Reason
    var skip: Int
    var count: Int
  }

  /// Makes `count` calls of `verb` fail, on files whose names begin with `prefix`, after `skip` that do not.
  public func fail(
    _ verb: Verb, prefix: String = "", after skip: Int = 0, count: Int = 1, reason: DiskError.Reason = .failed("injected")
  ) {
    faults.append(Fault(verb: verb, prefix: prefix, reason: reason, skip: skip, count: count))
  }

  /// No call that was to fail will; or none of this verb.
  public func stopFailing(_ verb: Verb? = nil) { faults.removeAll { verb == nil || $0.verb == verb } }

  func takeFault(_ verb: Verb, _ name: String) -> DiskError.Reason? {
    guard let i = faults.firstIndex(where: { $0.verb == verb && name.hasPrefix($0.prefix) }) else { return nil }
    guard faults[i].skip == 0 else {
      faults[i].skip -= 1
      return nil
    }
    faults[i].count -= 1
    failedCalls += 1
    defer { if faults[i].count == 0 { faults.remove(at: i) } }
    return faults[i].reason
  }

  /// The bytes of a file as a process would read them; nil when there is none.
  public func contents(of name: String) -> [UInt8]? { names[name].map { nodes[$0].live } }

  /// The names of all files, ascending.
  public var fileNames: [String] { names.entries.map(\.name) }

  /// Rot: changes one byte, for good. False when there is no such byte.
  @discardableResult
  public func flip(_ name: String, at offset: Int, mask: UInt8 = 0xff) -> Bool {
    damage(name, offset..<offset + 1) { $0 ^ mask }
  }

  /// A sector that was confirmed but never written.
  @discardableResult
  public func zeroSector(_ name: String, _ sector: Int) -> Bool {
    damage(name, sector * Self.sectorSize..<(sector + 1) * Self.sectorSize) { _ in 0 }
  }

  /// A misdirected write: the bytes of one sector stand in another one too.
  @discardableResult
  public func copySector(_ name: String, from source: Int, to destination: Int) -> Bool {
    guard let bytes = contents(of: name), (source + 1) * Self.sectorSize <= bytes.count else { return false }
    var next = source * Self.sectorSize
    return damage(name, destination * Self.sectorSize..<(destination + 1) * Self.sectorSize) { _ in
      defer { next += 1 }
      return bytes[next]
    }
  }

  /// Replaces a file's bytes, durably; makes the file if there is none.
  public func replace(_ name: String, with bytes: [UInt8]) {
    nodes.append(Node(name: name, live: bytes, durable: bytes))
    names[name] = nodes.count - 1
    durableNames[name] = nodes.count - 1
  }

  /// An independent copy of what a process would see, all of it durable.
  public func copy() -> SimulatedDisk {
    let copy = SimulatedDisk()
    copy.capacity = capacity
    for (name, node) in names.entries { copy.replace(name, with: nodes[node].live) }
    return copy
  }

  private func damage(_ name: String, _ range: Range<Int>, _ change: (UInt8) -> UInt8) -> Bool {
    guard let node = names[name], range.upperBound <= nodes[node].live.count else { return false }
    isDamaged = true
    for i in range {
      let byte = change(nodes[node].live[i])
      nodes[node].live[i] = byte
      if i < nodes[node].durable.count { nodes[node].durable[i] = byte }
    }
    return true
  }
}
