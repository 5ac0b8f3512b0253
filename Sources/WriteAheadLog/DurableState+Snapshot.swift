import Raft

extension DurableState {
  /// The log as it goes on from a durable snapshot; nil means that there is none.
  ///
  /// If the log reaches the snapshot's position and agrees there, the entries behind it stay. If it is shorter or differs, nothing of it
  /// stays (Raft paper, section 7): then `last` differs from the log's, and `LogStore.adopt` must be called before any append.
  /// Throws `.damaged` if entries between the snapshot and the log are missing, or if the log says of another entry there that it is
  /// committed.
  public func reconciled(with snapshot: SnapshotDescriptor?) throws(StorageError) -> DurableState {
    let position = snapshot?.position ?? .zero
    guard start.index <= position.index else {
      throw .damaged(
        file: Segment.prefix, offset: 0,
        what: "the log begins after entry \(start.index), but the state known ends with entry \(position.index)")
    }
    var result = self
    result.start = position
    result.commit = max(commit, position.index)
    let covered = position.index - start.index
    let own = covered == 0 ? start : covered <= UInt64(entries.count) ? entries[Int(covered) - 1].position : position
    // Without its term, the start is not known so well.
    guard own.term == position.term || own.term == 0 || position.index > max(commit, start.index) else {
      throw .damaged(
        file: SnapshotFormat.name(position.index), offset: FileHeader.size,
        what: "it ends with entry \(position.index) of term \(position.term), but in the log the one of term \(own.term) is committed")
    }
    if covered <= UInt64(entries.count), (covered == 0 ? start : entries[Int(covered) - 1].position) == position {
      result.entries.removeFirst(Int(covered))
    } else {
      result.entries = []
      result.commit = position.index
    }
    return result
  }
}

extension LogStore {
  /// Brings the files in line with `reconciled`: if the snapshot took the place of the whole log, the log says so, durably.
  public mutating func adopt(_ reconciled: DurableState) throws(StorageError) {
    guard reconciled.last != shape.last else { return }
    try append([LogWrite(sequence: 0, reset: reconciled.last, commit: reconciled.commit)])
    try sync()
  }
}
