import Raft
import Replica
import WriteAheadLog

/// Bounds that are as good as never reached in a run are drawn small in some stories: what happens at them is seen then.
extension Story {
  /// Each is what it is in production, or small, as `limits` says.
  func drawLimits(of settings: inout ReplicaSettings) {
    guard scale.limits > 0 else { return }
    var random = PseudoRandom(seed: scale.limits)
    settings.applyBytesPerTurn = random.pick([settings.applyBytesPerTurn, 1, 300, 3000])
    settings.forgottenAtOnce = random.pick([settings.forgottenAtOnce, 0, 8, 64])
    settings.maximumWithheldMessages = random.pick([settings.maximumWithheldMessages, settings.maximumWithheldMessages, 16, 64])
    settings.maximumWithheldBytes = random.pick([settings.maximumWithheldBytes, 5000 + 2 * scale.valueBytes])
    settings.maximumForwardBytes = random.pick([settings.maximumForwardBytes, 1, 500])
    settings.maximumBlockBytesWaiting = random.pick([settings.maximumBlockBytesWaiting, 1])
    settings.maximumBlocksUnderWay = random.pick([settings.maximumBlocksUnderWay, 1, 2])
    settings.snapshotWindowBytes = random.pick([settings.snapshotWindowBytes, 1, 100_000])
    settings.slowestFollowerBytes = random.pick([settings.slowestFollowerBytes, 20, 200])
    settings.logMemoryBytes = random.pick([settings.logMemoryBytes, 500, 4000])
    settings.raft.maximumUncommittedBytes = random.pick(
      [settings.raft.maximumUncommittedBytes, 600 + 4 * scale.valueBytes])
    settings.raft.maximumReads = random.pick([settings.raft.maximumReads, 4, 16])
  }

  /// Small files, so that the log goes from one to the next all the time.
  var logOptions: LogOptions {
    guard scale.limits > 0 else { return LogOptions(segmentSize: 32 << 10, fillStep: 8 << 10) }
    var random = PseudoRandom(seed: ~scale.limits)
    return LogOptions(
      segmentSize: random.pick([4 << 10, 8 << 10, 32 << 10, 256 << 10]), fillStep: random.pick([4 << 10, 8 << 10, 64 << 10]),
      batchSize: random.pick([8 << 20, 1, 300, 4000]))
  }
}
