import ByteCoding
import Raft
import Simulation
import WriteAheadLog

let me = StorageIdentity(node: NodeID(0xa1), cluster: ClusterID(0xc1))
/// The smallest files there can be, so that a few entries fill several.
let small = LogOptions(segmentSize: 4 << 10, fillStep: 4 << 10, batchSize: 1500)

typealias Log = LogStore<SimulatedDisk>

func entry(_ index: LogIndex, term: Term = 1, size: Int = 20) -> Entry {
  Entry(
    index: index, term: term, kind: .command, payload: (0..<size).map { UInt8(truncatingIfNeeded: UInt64($0) &+ index &* 7 &+ term) }[...])
}

func entries(_ range: ClosedRange<LogIndex>, term: Term = 1, size: Int = 20) -> [Entry] {
  range.map { entry($0, term: term, size: size) }
}

func write(_ range: ClosedRange<LogIndex>, term: Term = 1, size: Int = 20, commit: LogIndex = 0) -> LogWrite {
  LogWrite(sequence: 1, entries: entries(range, term: term, size: size), commit: commit)
}

func open(_ disk: SimulatedDisk, _ options: LogOptions = small) throws -> (Log, DurableState) {
  try Log.open(disk, identity: me, options: options)
}

/// What `open` says that the disk holds, or the error that it throws instead.
func recover(_ disk: SimulatedDisk, _ options: LogOptions = small) -> Result<DurableState, StorageError> {
  do {
    let (log, recovered) = try Log.open(disk, identity: me, options: options)
    log.close()
    return .success(recovered)
  } catch {
    return .failure(error)
  }
}

/// What `open` finds wrong and puts right.
func repairs(_ disk: SimulatedDisk) throws -> [String] {
  let (log, _) = try open(disk)
  log.close()
  return log.repairs
}

/// The bytes of a sector in which nothing is written yet.
func freeSector(_ place: Int, of segment: UInt64) -> [UInt8] {
  var writer = ByteWriter()
  writer.write(raw: "CoracleF".utf8)
  writer.write(segment)
  writer.write(UInt64(place))
  writer.write(raw: repeatElement(0, count: 512 - writer.count))
  return writer.bytes
}

func segment(_ number: UInt64) -> String { "log-" + NodeID(number).description }

extension Result where Success == DurableState, Failure == StorageError {
  var isDamage: Bool {
    if case .failure(.damaged) = self { return true }
    return false
  }
}

let configuration = Configuration(voters: [
  Member(id: NodeID(0xa1), name: "a", peerAddress: "a:1", clientAddress: "a:2"),
  Member(id: NodeID(0xb1), name: "b", peerAddress: "b:1", clientAddress: "b:2"),
])

func descriptor(_ index: LogIndex, term: Term = 1) -> SnapshotDescriptor {
  SnapshotDescriptor(position: LogPosition(index: index, term: term), configuration: configuration, configurationIndex: 1)
}

extension StorageError {
  /// The file whose call failed.
  var file: String {
    if case .disk(let error) = self { return error.file }
    return ""
  }
}
