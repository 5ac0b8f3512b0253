/// A change of one key, as a watcher is told of it: etcd's `mvccpb.Event`.
public struct Event: Sendable {
  private let change: ChangeLog.Change
  /// What was before the oldest revision that can be read is not told.
  private let knowsPrevious: Bool

  init(_ change: ChangeLog.Change, compactRevision: Revision) {
    self.change = change
    knowsPrevious = change.item.modRevision > compactRevision
  }

  /// Bytes of the key and the value.
  public var size: Int { change.item.keyCount + change.item.valueCount }

  func touches(_ range: KeyRange) -> Bool {
    change.item.withKey { key in
      let fromStart = range.start.withUnsafeBytes { ByteOrder.compare($0, key) }
      guard let end = range.end else { return fromStart == 0 }
      return fromStart <= 0 && (range.isUnbounded || end.withUnsafeBytes { ByteOrder.compare(key, $0) } < 0)
    }
  }

  public var key: Key { change.item.key }
  /// The revision of the change, which all changes of one request share.
  public var modRevision: Revision { change.item.modRevision }
  public var isDeletion: Bool { change.item.isTombstone }
  /// What was put; `nil` if the key was deleted.
  public var pair: KeyValuePair? { change.item.isTombstone ? nil : change.item.pair() }
  /// What was there before; `nil` if nothing was, or it is compacted.
  public var previous: KeyValuePair? {
    guard knowsPrevious, let replaced = change.replaced, !replaced.isTombstone else { return nil }
    return replaced.pair()
  }
}

extension KeyValueView {
  /// The changes from a revision on, or from the oldest that is kept, in their order. O(log n), and each is found when it is asked for.
  public func events(from revision: Revision) -> Events {
    let first = max(firstChange, changes.first(from: revision))
    return Events(changes: changes, position: first, compactRevision: compactRevision)
  }

  /// Whether all changes from a revision on are in memory, those that are compacted and not forgotten yet included.
  func remembers(from revision: Revision) -> Bool {
    revision >= firstEventRevision || changes.start < changes.end && changes[changes.start].item.modRevision < revision
  }

  /// The first revision whose events can be had: `compactRevision`, or a later one in a store that was made without its past.
  package var firstEventRevision: Revision {
    guard firstChange < changes.end else { return revision + 1 }
    return max(compactRevision, changes[firstChange].item.modRevision)
  }

  /// The changes from a position on, as far as they are in memory.
  func remembered(from position: EventPosition) -> Events {
    let first = min(changes.first(from: position.revision) + position.offset, changes.end)
    return Events(changes: changes, position: first, compactRevision: compactRevision)
  }

  public struct Events: Sequence, IteratorProtocol, Sendable {
    fileprivate let changes: ChangeLog
    fileprivate var position: Int
    fileprivate let compactRevision: Revision

    public mutating func next() -> Event? {
      guard position < changes.end else { return nil }
      defer { position += 1 }
      return Event(changes[position], compactRevision: compactRevision)
    }
  }
}
