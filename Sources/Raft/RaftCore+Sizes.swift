/// How much one member holds: plain numbers, for checkers.
package struct RaftSizes: Sendable {
  /// Bytes of entries that a leader has not committed.
  package var uncommittedBytes = 0
  /// Entries in memory that are not committed.
  package var uncommittedEntries = 0
  /// Bytes in memory, and those of the oldest entry there; bytes that the disk keeps, in memory or not.
  package var logBytes = 0
  package var oldestBytes = 0
  package var keptBytes = 0
  /// Most bytes that were forgotten at once: of these only all can be kept, or none.
  package var largestForgotten = 0
  /// Whether the disk has entries that memory has not.
  package var hasForgotten = false
  package var peers = 0
  /// Messages and bytes under way to the peer that has most of them.
  package var inflightMessages = 0
  package var inflightBytes = 0
  /// Peers whose probe was lost; that wait for entries from the disk.
  package var repeatedProbes = 0
  package var awaitedReads = 0
  /// Batches of reads that wait for a quorum.
  package var reads = 0
  /// Streams of forwarded proposals that were seen in this term.
  package var streams = 0

  package init() {}
}

extension RaftCore {
  package var sizes: RaftSizes {
    var sizes = RaftSizes()
    sizes.uncommittedBytes = leadership.uncommittedBytes
    sizes.uncommittedEntries = Int(log.lastIndex - commitIndex)
    sizes.logBytes = log.bytes
    sizes.oldestBytes = log.entry(at: log.start.index + 1)?.record.count ?? 0
    sizes.keptBytes = log.keptBytes
    sizes.largestForgotten = log.largestForgotten
    sizes.hasForgotten = log.kept < log.start.index
    sizes.peers = leadership.peers.count
    for index in leadership.peers.indices {
      sizes.inflightMessages = max(sizes.inflightMessages, leadership.peers[index].inflight.count)
      sizes.inflightBytes = max(sizes.inflightBytes, leadership.peers[index].inflightBytes)
      if leadership.peers[index].probeIsRepeated { sizes.repeatedProbes += 1 }
      if leadership.peers[index].awaitedRead != nil { sizes.awaitedReads += 1 }
    }
    sizes.reads = leadership.reads.count
    sizes.streams = forwarded.streams.count
    return sizes
  }

  /// Bytes in memory of entries that follow `index`; a walk over them.
  package func bytesInMemory(after index: LogIndex) -> Int { log.bytes(after: index) }
}
