/// Snapshots: the paper, section 7. The blocks are the owner's business; what they mean for the log is decided here.
extension RaftCore {
  /// The application's state now is this snapshot. An older one than what is committed here changes nothing.
  mutating func install(_ descriptor: SnapshotDescriptor, into effects: inout Effects) {
    let position = descriptor.position
    guard role != .leader, position.index > commitIndex else { return }
    if log.term(at: position.index) == position.term {
      // The log agrees with the snapshot: what follows it stays.
      persistence.logCovered(through: position, last: log.lastIndex)
      log.compact(through: position.index)
      configurations.compact(through: position.index)
    } else {
      // A suffix that conflicts must not survive, or snapshots would follow each other without end.
      log.reset(to: position)
      configurations = ConfigurationHistory(descriptor.configuration, at: descriptor.configurationIndex)
      persistence.logReset(to: position)
      verifiedIndex = position.index
    }
    commitIndex = position.index
    verifiedIndex = max(verifiedIndex, position.index)
    acknowledge(into: &effects)
  }

  mutating func receiveBlock(_ incoming: IncomingBlock, into effects: inout Effects) {
    guard incoming.descriptor.position.index <= commitIndex else { return effects.snapshotBlocks.append(incoming) }
    guard !contradicts(incoming.descriptor.position, of: incoming.from, into: &effects) else { return }
    // We have all that it holds; and what is committed here, any leader has.
    verifiedIndex = max(verifiedIndex, commitIndex)
    acknowledgedIndex = 0
    acknowledge(into: &effects)
  }

  mutating func compact(through index: LogIndex) {
    let index = min(index, commitIndex)
    log.compact(through: index)
    configurations.compact(through: index)
  }

  mutating func forget(through index: LogIndex) {
    log.forget(through: min(index, min(commitIndex, durableIndex)))
  }
}
