/// How far a watcher has read: a revision, and how many of its changes. The same on every node, and after a restart.
public struct EventPosition: Hashable, Comparable, Sendable {
  public var revision: Revision
  /// Changes of that revision that were looked at; above 0 only in the middle of one.
  public var offset: Int

  public init(revision: Revision, offset: Int = 0) {
    self.revision = revision
    self.offset = offset
  }

  public static func < (a: EventPosition, b: EventPosition) -> Bool { (a.revision, a.offset) < (b.revision, b.offset) }
}

/// Which events a watcher does not want: etcd's `NOPUT` and `NODELETE`.
public struct EventFilter: OptionSet, Hashable, Sendable {
  public let rawValue: UInt8
  public init(rawValue: UInt8) { self.rawValue = rawValue }
  public static let noPut = EventFilter(rawValue: 1)
  public static let noDelete = EventFilter(rawValue: 2)

  func admits(_ event: Event) -> Bool { !contains(event.isDeletion ? .noDelete : .noPut) }
}

/// Some of the events of a range.
public struct EventPiece: Sendable {
  public var events: [Event]
  /// Where the next piece begins. At the end this is the revision after the view's.
  public var next: EventPosition
  /// More events of the last one's revision may follow. Only if revisions may be split.
  public var isFragment: Bool
  /// Nothing more stands in this view.
  public var isEnd: Bool
  /// What is known of the watcher's rights; see `WatchReader`.
  var checked = AccessStamp(revision: 0, isEnabled: false)
}

extension KeyValueView {
  /// The events of a range of keys from a position on, as much of them as one piece may have: in their order, none left out and none twice,
  /// if each piece begins where the one before ended, in whatever view of whatever node. So a watcher is a position: it reads at its own
  /// pace, and nothing waits for it in memory.
  ///
  /// - Parameters:
  ///   - range: which keys.
  ///   - position: where the piece before ended.
  ///   - filter: which events are left out.
  ///   - bytes: of keys and values, after which the piece ends; it is passed by the last event, or by the last revision.
  ///   - work: how many changes may be looked at; what was used is taken from it. Passed only to complete a revision that has an event
  ///     already.
  ///   - splitting: whether a piece may end within a revision. Otherwise one revision is in one piece, however large it is.
  /// - Throws: `compacted` if the next event may be forgotten; a new watcher can begin at `compactRevision`, in a store without a past
  ///   behind `revision`.
  public func events(
    in range: KeyRange, from position: EventPosition, filter: EventFilter = [], bytes: Int, work: inout Int, splitting: Bool = false
  ) throws(KeyValueError) -> EventPiece {
    // Nothing happened in revision 1.
    guard position.revision >= 1, max(position.revision, 2) >= firstEventRevision else { throw .compacted }
    var piece = EventPiece(events: [], next: position, isFragment: false, isEnd: false)
    var number = min(changes.first(from: position.revision) + max(position.offset, 0), changes.end)
    var (size, lastRevision) = (0, Revision(0))
    while number < changes.end {
      let event = Event(changes[number], compactRevision: compactRevision)
      let isWithin = event.modRevision == lastRevision
      let isFull = size >= bytes || work <= 0
      if isFull, splitting || !isWithin {
        // Who has all of a revision needs nothing of it any more.
        if piece.next.revision < event.modRevision { piece.next = EventPosition(revision: event.modRevision) }
        piece.isFragment = isWithin
        return piece
      }
      work -= 1
      number += 1
      piece.next =
        event.modRevision == piece.next.revision
        ? EventPosition(revision: event.modRevision, offset: piece.next.offset + 1) : EventPosition(revision: event.modRevision, offset: 1)
      guard event.touches(range), filter.admits(event) else { continue }
      // From here on its revision is one piece.
      lastRevision = event.modRevision
      size += event.size
      piece.events.append(event)
    }
    piece.next = EventPosition(revision: max(revision + 1, position.revision))
    piece.isEnd = true
    return piece
  }
}
