import ByteCoding
import Raft
import WriteAheadLog

/// A directory in memory that knows what is durable and what is not: of every file, and of every name.
///
/// `crash` is the end of a process: nothing changes but that handles are gone. `losePower` keeps what was synced; of what was not, each
/// sector of each write and each change of the directory is kept or lost, as the generator says. `SimulatedDisk+Faults.swift` has the rest
/// of what happens to disks. For one thread.
public final class SimulatedDisk: Disk {
  /// What is kept or lost as a whole, in bytes.
  public static let sectorSize = 512

  /// An open file.
  public struct File: Sendable, Hashable {
    let node: Int
    let session: Int
  }

  /// The calls that can be counted, and made to fail.
  public enum Verb: String, CaseIterable, Sendable {
    case list, open, size, read, write, sync, rename, remove, syncDirectory
  }

  /// A file's bytes, whatever its names are.
  struct Node {
    var name: String
    var live: [UInt8] = []
    var durable: [UInt8] = []
    /// Written since the last sync, in order.
    var pending: [PendingWrite] = []
    /// How often this process has it open.
    var handles = 0
    /// A segment of a log, under its own name: it has rules of its own.
    var isSegment: Bool
    /// A failed sync took what was written for clean.
    var isLost = false

    init(name: String, live: [UInt8] = [], durable: [UInt8] = []) {
      self.name = name
      self.live = live
      self.durable = durable
      isSegment = SimulatedDisk.isSegment(name)
    }
  }

  struct PendingWrite {
    let offset: Int
    let bytes: [UInt8]
  }

  /// A change of the directory: names and the nodes that they stand for afterwards.
  struct PendingName {
    let changes: [(name: String, node: Int?)]
    /// The call that made it.
    let operation: Int
  }

  /// A directory: sorted by name, so that nothing depends on the order of a hash table.
  struct Names {
    private(set) var entries: [(name: String, node: Int)] = []

    subscript(name: String) -> Int? {
      get { entries.first { $0.name == name }?.node }
      set {
        entries.removeAll { $0.name == name }
        if let newValue { entries.insert((name, newValue), at: entries.firstIndex { $0.name > name } ?? entries.count) }
      }
    }

    mutating func apply(_ change: PendingName) {
      for (name, node) in change.changes { self[name] = node }
    }

    func contains(_ node: Int) -> Bool { entries.contains { $0.node == node } }
  }

  /// Most bytes that all files may have together.
  public var capacity = Int.max
  /// Calls so far, those that failed included.
  @exclusivity(unchecked) public internal(set) var operationCount = 0
  /// Calls that failed because they were told to.
  public internal(set) var failedCalls = 0
  /// Calls that failed for any reason but a file that is not there.
  @exclusivity(unchecked) var refusals = 0
  /// Calls that break a rule of storage: `SimulatedDisk+Rules.swift` has the rules.
  public internal(set) var misuses: [String] = []
  /// What a loss of power would leave after removals, taken when they were made: of one in so many; 0 for none.
  @exclusivity(unchecked) var imagesOfRemovals: [(removed: String, image: SimulatedDisk)] = []
  var removalsPerImage = 0
  private var removals = 0
  /// Bytes were changed behind the back of who wrote them.
  public internal(set) var isDamaged = false
  /// From the operation with this number on (counted from 1) every call fails, as if the machine stood still.
  @exclusivity(unchecked) public var powerFailsAfter = Int.max
  @exclusivity(unchecked) var nodes: [Node] = []
  @exclusivity(unchecked) var names = Names()
  var durableNames = Names()
  var pendingNames: [PendingName] = []
  @exclusivity(unchecked) var faults: [Fault] = []
  private var session = 0

  public init() {}

  /// Bytes of all files.
  public var usedBytes: Int { names.entries.reduce(0) { $0 + nodes[$1.node].live.count } }

  // MARK: Disk

  public func list() throws(DiskError) -> [String] {
    try begin(.list, "")
    return names.entries.map(\.name)
  }

  public func open(_ name: String, create: Bool) throws(DiskError) -> File {
    try begin(.open, name)
    if let node = names[name] { return handle(of: node) }
    guard create else { throw DiskError(operation: "open", file: name, reason: .missing) }
    nodes.append(Node(name: name))
    change([(name, nodes.count - 1)])
    return handle(of: nodes.count - 1)
  }

  private func handle(of node: Int) -> File {
    nodes[node].handles += 1
    return File(node: node, session: session)
  }

  public func size(_ file: File) throws(DiskError) -> Int {
    try begin(.size, file)
    return nodes[file.node].live.count
  }

  public func read(_ file: File, offset: Int, count: Int) throws(DiskError) -> [UInt8] {
    try begin(.read, file)
    let live = nodes[file.node].live
    guard offset < live.count else { return [] }
    return Array(live[offset..<min(offset + count, live.count)])
  }

  public func write(_ file: File, offset: Int, _ bytes: [UInt8]) throws(DiskError) {
    try begin(.write, file)
    if nodes[file.node].isSegment { checkBatch(file.node, offset, bytes) }
    try put(file, offset: offset, bytes)
  }

  public func fill(_ file: File, offset: Int, _ bytes: [UInt8]) throws(DiskError) {
    try begin(.write, file)
    try put(file, offset: offset, bytes)
  }

  private func put(_ file: File, offset: Int, _ bytes: [UInt8]) throws(DiskError) {
    let growth = offset + bytes.count - nodes[file.node].live.count
    guard growth <= 0 || growth <= capacity - usedBytes else {
      refusals += 1
      throw DiskError(operation: "write", file: nodes[file.node].name, reason: .full)
    }
    Self.put(bytes[...], at: offset, into: &nodes[file.node].live)
    nodes[file.node].pending.append(PendingWrite(offset: offset, bytes: bytes))
  }

  public func sync(_ file: File) throws(DiskError) {
    do {
      try begin(.sync, file)
    } catch {
      // What the system does: the pages are clean from now on, and their bytes never reach the disk.
      if isPowered {
        nodes[file.node].isLost = !nodes[file.node].pending.isEmpty
        nodes[file.node].pending = []
      }
      throw error
    }
    for write in nodes[file.node].pending { Self.put(write.bytes[...], at: write.offset, into: &nodes[file.node].durable) }
    nodes[file.node].pending = []
  }

  public func close(_ file: File) {
    if file.session == session { nodes[file.node].handles -= 1 }
  }

  public func rename(_ source: String, to destination: String) throws(DiskError) {
    try begin(.rename, source)
    guard let node = names[source] else { throw DiskError(operation: "rename", file: source, reason: .missing) }
    checkRename(node, to: destination)
    nodes[node].name = destination
    nodes[node].isSegment = Self.isSegment(destination)
    change([(source, nil), (destination, node)])
  }

  public func remove(_ name: String) throws(DiskError) {
    try begin(.remove, name)
    guard names[name] != nil else { throw DiskError(operation: "remove", file: name, reason: .missing) }
    if removalsPerImage > 0, !name.hasSuffix(".part") {
      removals += 1
      if removals % removalsPerImage == 0 { imagesOfRemovals.append((name, durableImage(without: name))) }
    }
    change([(name, nil)])
  }

  public func syncDirectory() throws(DiskError) {
    try begin(.syncDirectory, "")
    let before = durableNames
    for change in pendingNames { durableNames.apply(change) }
    pendingNames = []
    for (_, node) in before.entries where !durableNames.contains(node) && !names.contains(node) && nodes[node].handles == 0 {
      nodes[node] = Node(name: "")
    }
  }

  // MARK: Ends

  /// The process ends: what it wrote stays in the page cache, its handles are void.
  public func crash() {
    session += 1
    for node in nodes.indices { nodes[node].handles = 0 }
    powerFailsAfter = .max
    imagesOfRemovals = []
  }

  /// The power goes and comes back.
  public func losePower(using random: inout PseudoRandom) {
    for change in pendingNames where random.below(2) == 0 { durableNames.apply(change) }
    pendingNames = []
    names = durableNames
    for i in nodes.indices {
      let pending = nodes[i].pending
      for write in pending { Self.keepSome(of: write, in: &nodes[i].durable, using: &random) }
      nodes[i].pending = []
      nodes[i].live = nodes[i].durable
    }
    crash()
  }

  /// Of one write: nothing, everything, or some sectors. Since each sector decides for itself, and a later write to it can be lost when an
  /// earlier one is kept, this covers every order in which sectors can have reached the disk.
  private static func keepSome(of write: PendingWrite, in durable: inout [UInt8], using random: inout PseudoRandom) {
    let fate = random.below(4)
    guard fate > 0 else { return }
    var start = write.offset
    let end = write.offset + write.bytes.count
    while start < end {
      let next = min((start / sectorSize + 1) * sectorSize, end)
      if fate == 1 || random.below(2) == 0 {
        put(write.bytes[(start - write.offset)..<(next - write.offset)], at: start, into: &durable)
      }
      start = next
    }
  }

  static func put(_ bytes: Bytes, at offset: Int, into file: inout [UInt8]) {
    if offset == file.count { return file.append(contentsOf: bytes) }
    let end = offset + bytes.count
    if end > file.count { file += [UInt8](repeating: 0, count: end - file.count) }
    file.withUnsafeMutableBytes { file in
      bytes.withUnsafeBytes { UnsafeMutableRawBufferPointer(rebasing: file[offset..<end]).copyMemory(from: $0) }
    }
  }

  private func change(_ changes: [(name: String, node: Int?)]) {
    let change = PendingName(changes: changes, operation: operationCount)
    names.apply(change)
    pendingNames.append(change)
  }

  /// False from the operation on at which the power failed, until `crash` or `losePower`.
  public var isPowered: Bool { operationCount <= powerFailsAfter }

  private func begin(_ verb: Verb, _ file: File) throws(DiskError) {
    let name = nodes[file.node].name
    guard file.session == session else { throw DiskError(operation: verb.rawValue, file: name, reason: .failed("stale handle")) }
    try begin(verb, name)
  }

  private func begin(_ verb: Verb, _ name: String) throws(DiskError) {
    operationCount += 1
    guard isPowered else { throw DiskError(operation: verb.rawValue, file: name, reason: .failed("the power is off")) }
    if let reason = takeFault(verb, name) {
      refusals += 1
      throw DiskError(operation: verb.rawValue, file: name, reason: reason)
    }
  }
}
