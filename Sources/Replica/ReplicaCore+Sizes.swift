import Raft

/// How much one node holds, table by table and queue by queue: plain numbers, for checkers that hold them against the bounds.
package struct ReplicaSizes: Sendable {
  package var raft = RaftSizes()
  /// Requests that wait for an answer, the bytes of commands among them, and the entries of the table of their deadlines.
  package var pendingRequests = 0
  package var pendingBytes = 0
  package var deadlines = 0
  /// Commands that wait for a leader; those that some log may hold.
  package var queued = 0
  package var inFlight = 0
  /// How often answered commands were dropped from those in flight because they were most of them.
  package var timesForgotten = 0
  /// Reads that wait for the end of the turn or for the leader, and batches of them without an answer.
  package var waitingReads = 0
  package var readBatches = 0
  /// Frames of questions that wait for the leader's answer; turns' questions that wait, here, for a majority.
  package var questionFrames = 0
  package var questionsAsked = 0
  /// Messages that wait for the disk, and the bytes of what is long in them.
  package var withheldMessages = 0
  package var withheldBytes = 0
  /// Snapshots on their way to peers; blocks and bytes of the one that has most under way; how many were sent in vain last.
  package var transfers = 0
  package var blocksUnderWay = 0
  package var blockBytesUnderWay = 0
  package var largestBlockUnderWay = 0
  package var repeatedTransfers = 0
  package var transfersWithoutSnapshot = 0
  /// Blocks that wait for this node's disk, and their bytes.
  package var blocksWaiting = 0
  package var blockBytesWaiting = 0
  /// Bytes applied since the newest snapshot was begun, and after how many the next is due; `nil` while one is written, or must wait.
  package var bytesApplied = 0
  package var snapshotInterval: Int?
  /// A snapshot that came in was refused, and its leader is left waiting; the newest one could not be read.
  package var hasRefusal = false
  package var newestIsBad = false

  /// Most of `questionFrames`, and most batches of one member's among `questionsAsked`.
  package static let maximumQuestionFrames = Questions.maximumFrames

  package init() {}
}

extension ReplicaControl {
  func sizes(now: Instant) -> ReplicaSizes {
    var sizes = ReplicaSizes()
    if let raft = raft?.sizes { sizes.raft = raft }
    sizes.pendingRequests = pending.count
    sizes.pendingBytes = pending.bytes
    sizes.deadlines = pending.expiryCount
    sizes.queued = queue.count
    sizes.inFlight = inFlight.count
    sizes.timesForgotten = timesForgotten
    sizes.waitingReads = reads.requestCount
    sizes.readBatches = reads.batchCount
    sizes.questionFrames = questions.sentCount
    sizes.questionsAsked = questions.askedCount
    sizes.withheldMessages = withheld.count
    for index in withheld.indices { sizes.withheldBytes += withheld[index].message.longPartSize }
    addTransfers(to: &sizes)
    sizes.bytesApplied = snapshots.bytesApplied
    sizes.snapshotInterval = snapshots.saving == nil && now >= snapshots.nextSave ? snapshotInterval : nil
    sizes.hasRefusal = snapshots.refusal != nil
    sizes.newestIsBad = snapshots.newestIsBad
    return sizes
  }

  private func addTransfers(to sizes: inout ReplicaSizes) {
    sizes.transfers = snapshots.transfers.count
    for index in snapshots.transfers.indices {
      let underWay = snapshots.transfers[index].underWay
      sizes.blocksUnderWay = max(sizes.blocksUnderWay, underWay.count)
      sizes.blockBytesUnderWay = max(sizes.blockBytesUnderWay, underWay.reduce(0, +))
      sizes.largestBlockUnderWay = max(sizes.largestBlockUnderWay, underWay.reduce(0, max))
      if snapshots.transfers[index].retries > 0 { sizes.repeatedTransfers += 1 }
      if snapshots.transfers[index].descriptor == nil { sizes.transfersWithoutSnapshot += 1 }
    }
    guard let waiting = snapshots.incoming?.waiting, !waiting.isEmpty else { return }
    sizes.blocksWaiting = waiting.count
    sizes.blockBytesWaiting = waiting.reduce(0, +)
  }
}

extension ReplicaCore {
  /// How much the node holds; cheap, but not for production's turns. Mutating, so that a caller that asks for it in place copies nothing.
  package mutating func sizes(now: Instant) -> ReplicaSizes { control.sizes(now: now) }

  /// Bytes in memory of log entries that follow `index`; a walk over them.
  package mutating func bytesInMemory(after index: LogIndex) -> Int { control.raft?.bytesInMemory(after: index) ?? 0 }
}
