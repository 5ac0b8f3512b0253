/// How the store forgets, and how large it may become.
extension KeyValueView {
  /// Bytes of all versions that are kept, the newest and those of the past: of each key and value, with about what they take in memory
  /// beside: 96 bytes for a version, 32 for a change that can still be told. A lease counts 192 bytes, and each key that goes with one once
  /// more, with 104 bytes beside. Equal on nodes whose stores are equal; O(1). What is compacted no longer counts, though its memory comes
  /// back only with the commands that follow.
  public var size: Int {
    let summary = tree.root.summary
    return summary.keyBytes + summary.valueBytes + summary.count * ChangeLog.itemBytes + pastSize + leases.size
  }

  /// What of `size` is the past: the changes that are kept, and the versions that they replaced. A compaction gives it back, but for the
  /// changes of the oldest revision that can be read afterwards. O(1).
  public var pastSize: Int { changes.totalSize - compactedSize }

  /// How many changes can be told; see `compactRevision`.
  public var changeCount: Int { changes.end - firstChange }

  /// How many changes are compacted and still in memory, at least: each command forgets `Limits.forgottenChanges` of them.
  public var compactedChangeCount: Int { firstChange - changes.start }

  /// From now on revisions below this one are not read. O(log n): what is of no use any more is forgotten by the commands that follow.
  mutating func compact(at revision: Revision) throws(KeyValueError) {
    guard revision > compactRevision else { throw .compacted }
    guard revision <= self.revision else { throw .futureRevision }
    compactRevision = revision
    forgetEvents(before: revision)
    clearAlarm()
    guard isOutOfSpace else { return }
    // What this revision itself did is kept for who watches from it. That must not keep a store full from which all was deleted: there is
    // no later revision at which it could be compacted, as long as nothing may be put.
    forgetEvents(before: revision + 1)
    clearAlarm()
  }

  mutating func forgetEvents(before revision: Revision) {
    firstChange = changes.first(from: revision)
    compactedSize = changes.size(before: firstChange)
  }

  /// Whether the changes of `compactRevision` itself can be told, if it made any that are in memory.
  var keepsOldestEvents: Bool { firstChange == changes.first(from: compactRevision) }

  mutating func set(_ settings: StoreSettings) {
    self.settings = settings
    clearAlarm()
  }

  /// Forgets as many compacted changes as one command does.
  mutating func forget() {
    for change in changes.forgetChunk(before: firstChange) where change.item.isTombstone {
      let key = change.item.key[...]
      // The key may have been made anew since, and deleted again.
      if deleted.item(for: key)?.change == change.item.change { deleted.remove(key) }
    }
  }

  /// The oldest revision from which on the past has at most so many bytes. O(log n).
  func oldestRevision(keeping bytes: Int64) -> Revision {
    var (low, high) = (firstChange, changes.end)
    while low < high {
      let middle = low + (high - low) / 2
      if Int64(changes.totalSize - changes.size(before: middle)) <= bytes { high = middle } else { low = middle + 1 }
    }
    guard low < changes.end else { return revision }
    let found = changes[low].item.modRevision
    // It may begin with changes that are too much.
    return min(revision, low > firstChange && changes[low - 1].item.modRevision == found ? found + 1 : found)
  }

  /// Whether a compaction at this revision would give anything back. O(log n).
  func wouldForget(before revision: Revision) -> Bool {
    revision > compactRevision && revision <= self.revision && changes.first(from: revision) > firstChange
  }

  // MARK: Quota

  /// - Parameter bytes: by how much the puts of a request, or the lease that it grants, enlarge the store. Nothing else is ever refused:
  ///   what is deleted makes room.
  mutating func checkSpace(for bytes: Int) throws(KeyValueError) {
    guard bytes > 0 else { return }
    guard !isOutOfSpace, Int64(size + bytes) <= settings.quota else {
      isOutOfSpace = true
      throw .noSpace
    }
  }

  /// With an eighth of the quota free, so that it is not raised again at once.
  private mutating func clearAlarm() {
    if isOutOfSpace, Int64(size) <= settings.quota - settings.quota / 8 { isOutOfSpace = false }
  }
}
