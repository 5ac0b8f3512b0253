import Raft
import Replica

/// Holds what each node holds, and what it does in one turn, against the bounds of `Docs/Architecture.md` and the node's settings.
struct BoundsChecker {
  private(set) var violations: [Violation] = []
  private let names: [String]
  private var nodes: [Seen]

  /// One turn of one node, as it can be seen from outside.
  struct Turn {
    /// What happened in it, at most.
    var events = 1
    /// Messages and other frames that left.
    var frames = 0
    /// Entries that went into the state machine, and their bytes; nothing if a snapshot took their place.
    var entriesApplied = 0
    var bytesApplied = 0
    /// Another's snapshot took the place of the state.
    var installedSnapshot = false
    /// Snapshots that were taken, and that failed.
    var savedSnapshot = false
    var failedSnapshot = false
  }

  /// How a process stood after its last turn.
  private struct Seen {
    var sizes = ReplicaSizes()
    var applied: LogIndex = 0
    /// Most requests that waited at once since entries were applied last: only then are answered commands dropped.
    var pendingSinceApplied = 0
    /// The last snapshot failed: the log goes on growing.
    var snapshotFailed = false
  }

  init(names: [String]) {
    self.names = names
    nodes = names.map { _ in Seen() }
  }

  mutating func started(_ node: Int) { nodes[node] = Seen() }

  /// Looks at a node after its turn.
  /// - Parameter bytesInMemory: bytes of the log in memory behind an index; asked only if there is more than the bound.
  mutating func check(
    _ node: Int, _ sizes: ReplicaSizes, _ state: ConsensusState, _ turn: Turn, _ settings: ReplicaSettings, segmentSize: Int, now: Instant,
    bytesInMemory: (LogIndex) -> Int
  ) {
    let last = nodes[node].sizes
    checkRequests(node, sizes, last, state, turn, settings, now)
    checkMessages(node, sizes, last, turn, settings, now)
    checkLeadership(node, sizes, state, settings, now)
    checkLog(node, sizes, state, turn, settings, segmentSize, now, bytesInMemory)
    checkSnapshots(node, sizes, settings, now)
    nodes[node].sizes = sizes
    nodes[node].applied = state.appliedIndex
  }

  /// Most bytes of an entry beside its command: one that is larger than a bound goes alone.
  private static let longestHeader = 64

  private mutating func hold(_ what: StaticString, _ node: Int, _ value: Int, atMost bound: Int, _ now: Instant) {
    guard value > bound, violations.count < 100 else { return }
    violations.append(Violation(.bounds, "\(names[node]) has \(value) \(what), where at most \(bound) may be", at: now))
  }

  // MARK: Requests

  private mutating func checkRequests(
    _ node: Int, _ sizes: ReplicaSizes, _ last: ReplicaSizes, _ state: ConsensusState, _ turn: Turn, _ settings: ReplicaSettings,
    _ now: Instant
  ) {
    hold("requests that wait", node, sizes.pendingRequests, atMost: settings.maximumPendingRequests, now)
    hold("bytes of commands that wait", node, sizes.pendingBytes, atMost: settings.maximumPendingBytes, now)
    hold("deadlines", node, sizes.deadlines, atMost: max(64, 4 * settings.maximumPendingRequests), now)
    hold("commands that wait for a leader", node, sizes.queued, atMost: sizes.pendingRequests, now)
    hold("reads that wait for a round", node, sizes.waitingReads, atMost: sizes.pendingRequests, now)
    hold("batches of reads", node, sizes.readBatches, atMost: sizes.pendingRequests + sizes.questionsAsked, now)
    let most = max(last.pendingRequests + turn.events, sizes.pendingRequests)
    let hasApplied = state.appliedIndex > nodes[node].applied && !turn.installedSnapshot
    nodes[node].pendingSinceApplied = hasApplied ? most : max(nodes[node].pendingSinceApplied, most)
    // What is sent before the next are applied comes on top: of those that waited, some may have been reads.
    let inFlight = 2 * nodes[node].pendingSinceApplied + settings.forgottenAtOnce + sizes.pendingRequests
    hold("commands in flight, most of them answered", node, sizes.inFlight, atMost: inFlight, now)
    if turn.entriesApplied > 1 {
      hold("bytes of entries applied in one turn", node, turn.bytesApplied, atMost: settings.applyBytesPerTurn, now)
    }
  }

  // MARK: Messages

  private mutating func checkMessages(
    _ node: Int, _ sizes: ReplicaSizes, _ last: ReplicaSizes, _ turn: Turn, _ settings: ReplicaSettings, _ now: Instant
  ) {
    hold("messages that wait for the disk", node, sizes.withheldMessages, atMost: settings.maximumWithheldMessages, now)
    hold("bytes of messages that wait for the disk", node, sizes.withheldBytes, atMost: settings.maximumWithheldBytes, now)
    let peers = names.count - 1
    // Each event may be worth a message to everybody; what waited may leave; each peer may get a window, and what goes with it.
    let most =
      last.withheldMessages + (turn.events + 3) * (peers + 2) + peers * (settings.raft.maximumInflightMessages + 3) + last.queued
      + last.raft.reads + last.raft.awaitedReads + last.questionsAsked + ReplicaSizes.maximumQuestionFrames
    hold("frames in one turn", node, turn.frames, atMost: most, now)
  }

  // MARK: A leader's tables

  private mutating func checkLeadership(
    _ node: Int, _ sizes: ReplicaSizes, _ state: ConsensusState, _ settings: ReplicaSettings, _ now: Instant
  ) {
    let raft = sizes.raft
    hold("streams of forwarded commands", node, raft.streams, atMost: 1024 * max(1, state.voters - 1), now)
    guard state.role == .leader else {
      hold("questions of others, without leading", node, sizes.questionsAsked, atMost: 0, now)
      hold("reads of others, without leading", node, raft.reads, atMost: 0, now)
      hold("followers, without leading", node, raft.peers, atMost: 0, now)
      return hold("uncommitted bytes, without leading", node, raft.uncommittedBytes, atMost: 0, now)
    }
    let core = settings.raft
    let questions = ReplicaSizes.maximumQuestionFrames * (names.count - 1) + sizes.pendingRequests
    hold("batches of questions that wait for a majority", node, sizes.questionsAsked, atMost: questions, now)
    hold("batches of reads that wait for a majority", node, raft.reads, atMost: core.maximumReads, now)
    hold("appends under way to one peer", node, raft.inflightMessages, atMost: core.maximumInflightMessages, now)
    let largest = max(core.maximumAppendBytes, settings.maximumCommandSize + Self.longestHeader)
    hold("bytes under way to one peer", node, raft.inflightBytes, atMost: core.maximumInflightBytes + largest, now)
    let batch = max(settings.maximumForwardBytes, settings.maximumCommandSize + Self.longestHeader)
    let uncommitted = max(core.maximumUncommittedBytes, batch) + Self.longestHeader * raft.uncommittedEntries
    hold("uncommitted bytes", node, raft.uncommittedBytes, atMost: uncommitted, now)
  }

  // MARK: The log

  private mutating func checkLog(
    _ node: Int, _ sizes: ReplicaSizes, _ state: ConsensusState, _ turn: Turn, _ settings: ReplicaSettings, _ segmentSize: Int,
    _ now: Instant, _ bytesInMemory: (LogIndex) -> Int
  ) {
    if sizes.raft.logBytes > settings.logMemoryBytes {
      // The oldest entry may be larger than what is to go.
      let applied = sizes.raft.logBytes - sizes.raft.oldestBytes - bytesInMemory(min(state.appliedIndex, state.durableIndex))
      hold("bytes of applied entries in memory", node, applied, atMost: settings.logMemoryBytes, now)
    }
    if turn.savedSnapshot { nodes[node].snapshotFailed = false }
    if turn.failedSnapshot { nodes[node].snapshotFailed = true }
    guard let interval = sizes.snapshotInterval else { return }
    hold("bytes applied since the last snapshot, and takes none", node, sizes.bytesApplied, atMost: interval - 1, now)
    guard !nodes[node].snapshotFailed, !sizes.newestIsBad else { return }
    // Four intervals for peers that lag, one until the next snapshot, one while that was written; and what goes only in one piece.
    let kept = 6 * interval + max(settings.logKeptBytes, interval) + 2 * segmentSize + 2 * sizes.raft.largestForgotten
    hold("bytes of log that the disk alone keeps", node, sizes.raft.keptBytes - sizes.raft.logBytes, atMost: kept, now)
  }

  // MARK: Snapshots

  private mutating func checkSnapshots(_ node: Int, _ sizes: ReplicaSizes, _ settings: ReplicaSettings, _ now: Instant) {
    hold("snapshots on their way", node, sizes.transfers, atMost: names.count - 1, now)
    hold("blocks under way to one peer", node, sizes.blocksUnderWay, atMost: settings.maximumBlocksUnderWay, now)
    // A block counts as one of the usual size until it was read.
    let excess = max(0, sizes.largestBlockUnderWay - SnapshotBlockSize.preferred) * sizes.blocksUnderWay
    hold(
      "bytes of blocks under way to one peer", node, sizes.blockBytesUnderWay,
      atMost: max(1, settings.snapshotWindowBytes) + SnapshotBlockSize.preferred + excess, now)
    if sizes.blocksWaiting > 1 {
      hold("bytes of blocks that wait for the disk", node, sizes.blockBytesWaiting, atMost: settings.maximumBlockBytesWaiting, now)
    }
  }
}
