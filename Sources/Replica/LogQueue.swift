import Raft
import WriteAheadLog

/// What waits for a node's identity and log, and the order in which it is done.
///
/// The owner has one thread for this work, or what stands for one. It asks for the `next` step, has `LogFiles` perform it, and says how
/// that went. So a server and a simulation do the same, whatever their threads are.
///
/// All that waits when the work begins goes together: first the identity, then one write and one sync of all entries, then what makes
/// the log shorter, then what peers lack. What comes meanwhile waits for the next time. The queue holds what a replica lets be on its way
/// to the disk: its entries are bounded by `Settings.maximumUncommittedBytes`, and of reads there is one for each peer.
public struct LogQueue: Sendable {
  public enum Step: Sendable {
    case save(IdentityRecord)
    /// Into the page cache.
    case append([LogWrite])
    /// Makes durable what was appended, up to the write of this number.
    case sync(through: UInt64)
    case compact(through: LogIndex)
    case read(EntriesRequest)
  }

  /// What to do after a step that found no room on the disk.
  public enum Shortage: Sendable, Equatable {
    /// There is something that makes room, or needs none: go on with `next`.
    case goOn
    /// Nothing but to wait: go on with `next` after `LogQueue.pause`.
    case wait
  }

  private struct Batch {
    var identity: IdentityRecord?
    var writes: [LogWrite] = []
    /// Of the entries in `writes`.
    var bytes = 0
    var isAppended = false
    var compact: LogIndex?
    var reads: [EntriesRequest] = []

    var isEmpty: Bool { identity == nil && writes.isEmpty && compact == nil && reads.isEmpty }
  }

  /// How long to wait for room on a full disk before trying again.
  public static let pause = Nanoseconds.milliseconds(200)

  private var waiting = Batch()
  private var current = Batch()
  /// A step found no room: what makes room, or needs none, goes before it.
  private var lacksRoom = false
  /// Bytes of entries that are not durable yet.
  public var bytes: Int { waiting.bytes + current.bytes }

  public init() {}

  /// Writes that the work under way makes durable together.
  public var writesUnderWay: Int { current.writes.count }
  public var isEmpty: Bool { current.isEmpty && waiting.isEmpty }

  /// Adds what one turn of a replica asks for.
  public mutating func add(identity: IdentityRecord?, writes: [LogWrite], compact: LogIndex?, reads: [EntriesRequest]) {
    waiting.identity = identity ?? waiting.identity
    waiting.writes += writes
    if let compact { waiting.compact = max(waiting.compact ?? 0, compact) }
    waiting.reads += reads
    waiting.bytes += writes.reduce(0) { $0 + $1.entries.reduce(0) { $0 + $1.record.count } }
  }

  /// What to do now; `nil` if nothing waits. The same again until `finish` says that it is done.
  public mutating func next() -> Step? {
    if current.isEmpty { swap(&current, &waiting) }
    if lacksRoom, let step = withoutRoom { return step }
    if let identity = current.identity { return .save(identity) }
    if let last = current.writes.last { return current.isAppended ? .sync(through: last.sequence) : .append(current.writes) }
    return withoutRoom
  }

  /// What can be done while the disk is full: it makes room, or needs none.
  private var withoutRoom: Step? {
    if let compact = current.compact { return .compact(through: compact) }
    return current.reads.first.map { .read($0) }
  }

  /// The step is done.
  public mutating func finish(_ step: Step) {
    switch step {
    case .save: current.identity = nil
    case .append: current.isAppended = true
    case .sync:
      current.writes = []
      current.bytes = 0
      current.isAppended = false
    case .compact: current.compact = nil
    case .read: current.reads.removeFirst()
    }
    // A step that needs room was done, or one that may have made some: the one that lacked it is tried again.
    if case .read = step { return }
    lacksRoom = false
  }

  /// The step found no room on the disk, and changed nothing that doing it again would not do. That is a state and not a failure.
  public mutating func foundNoRoom(for step: Step) -> Shortage {
    if case .compact = step { return .wait }
    lacksRoom = true
    if let compact = waiting.compact {
      current.compact = max(current.compact ?? 0, compact)
      waiting.compact = nil
    }
    current.reads += waiting.reads
    waiting.reads = []
    return withoutRoom == nil ? .wait : .goOn
  }
}

/// What came of a step.
public enum LogReport: Sendable, Equatable {
  case identitySaved
  case written(through: UInt64)
  case read(EntriesRequest, Result<LogPiece, StorageError>)
}

extension ReplicaEvent {
  public init(_ report: LogReport) {
    switch report {
    case .identitySaved: self = .identitySaved
    case .written(let sequence): self = .written(through: sequence)
    case .read(let request, let result): self = .logRead(request, result)
    }
  }
}

extension LogFiles {
  /// Does a step. It throws `.full` if the disk has no room for it: see `LogQueue.foundNoRoom`. Any other error is the last of this log.
  public mutating func perform(_ step: LogQueue.Step) throws(StorageError) -> LogReport? {
    switch step {
    case .save(let record):
      try save(record)
      return .identitySaved
    case .append(let writes):
      try append(writes)
      return nil
    case .sync(let sequence):
      try sync()
      return .written(through: sequence)
    case .compact(let index):
      try compact(through: index)
      return nil
    case .read(let request):
      return .read(request, read(request))
    }
  }
}
