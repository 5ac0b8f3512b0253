import WriteAheadLog

/// What storage promises of its own calls, held against each of them: so a mistake shows when it is made, not only when the power goes
/// just then. The rules are those of `Docs/Formats.md`.
extension SimulatedDisk {
  /// No more than so many are kept: one is enough.
  private static var maximumMisuses: Int { 16 }

  static func isSegment(_ name: String) -> Bool { name.hasPrefix("log-") && !name.hasSuffix(".part") }

  private func report(_ text: String) {
    if misuses.count < Self.maximumMisuses { misuses.append(text) }
  }

  /// A batch is written when all before it is durable, over free sectors that are durable, and not to the last of them. A start may write
  /// again what it found, and mark sectors free.
  func checkBatch(_ node: Int, _ offset: Int, _ bytes: [UInt8]) {
    let file = nodes[node]
    guard !isDamaged, !isRepair(of: file, offset, bytes) else { return }
    if !file.pending.isEmpty { report("\(file.name): a batch is written at byte \(offset), and what was written before is not durable") }
    let places = stride(from: offset, through: offset + bytes.count, by: Self.sectorSize)
    if let place = places.first(where: { !Self.isFree(file.durable, at: $0) }) {
      report("\(file.name): a batch is written at byte \(offset), and the sector at \(place) is not durable and free")
    }
  }

  private func isRepair(of file: Node, _ offset: Int, _ bytes: [UInt8]) -> Bool {
    stride(from: 0, to: bytes.count, by: Self.sectorSize).allSatisfy { start in
      let end = min(start + Self.sectorSize, bytes.count)
      guard !Self.isFree(bytes, at: start) else { return true }
      return offset + end <= file.live.count && file.live[(offset + start)..<(offset + end)].elementsEqual(bytes[start..<end])
    }
  }

  private static let freeMagic = Array("CoracleF".utf8)

  private static func isFree(_ bytes: [UInt8], at offset: Int) -> Bool {
    offset + sectorSize <= bytes.count && bytes[offset..<offset + freeMagic.count].elementsEqual(freeMagic)
  }

  /// A file gets the name by which it counts when all of it is durable.
  func checkRename(_ node: Int, to destination: String) {
    if !nodes[node].pending.isEmpty || nodes[node].isLost { report("\(destination): it gets its name before its bytes are durable") }
  }

  /// Names that were made, changed or removed since `operation` and are not durable. What counts for nothing may wait: unfinished files.
  func unsyncedNames(since operation: Int) -> [String] {
    pendingNames.filter { $0.operation > operation }.flatMap(\.changes).map(\.name).filter { !$0.hasSuffix(".part") }
  }

  /// Whether the power may go now, and a snapshot is there that holds the log up to `index`.
  func holdsSnapshot(through index: UInt64) -> Bool {
    durableNames.entries.contains { name, node in
      guard name.hasPrefix("snapshot-"), let found = UInt64(name.dropFirst(9), radix: 16), found >= index else { return false }
      return names[name] == node && nodes[node].pending.isEmpty && !nodes[node].isLost
    }
  }

  /// What a loss of power would leave if nothing that waits reached the disk, except that one file is gone.
  func durableImage(without removed: String? = nil) -> SimulatedDisk {
    let image = SimulatedDisk()
    for (name, node) in durableNames.entries where name != removed { image.replace(name, with: nodes[node].durable) }
    return image
  }
}
