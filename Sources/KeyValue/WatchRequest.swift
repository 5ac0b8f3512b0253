/// What a watcher wants: etcd's `WatchCreateRequest`.
public struct WatchRequest: Hashable, Sendable {
  /// Which keys.
  public var range: KeyRange
  /// The first revision whose events are told; 0 for the one after the newest. One that the store has not come to yet is waited for.
  public var startRevision: Revision
  public var filter: EventFilter
  /// Events are told with the pair that was there before (`Event.previous`).
  public var wantsPrevious: Bool
  /// A piece may end within a revision; otherwise one revision is in one piece, however large it is.
  public var splitsRevisions: Bool
  /// Whoever has the watcher tells it now and then how far it has seen everything, though nothing concerns it; see `Watchers.progress`.
  public var wantsProgress: Bool
  /// On whose behalf: told as long as it may read the whole range. `nil` for the process itself.
  public var subject: Subject?

  public init(
    range: KeyRange, startRevision: Revision = 0, filter: EventFilter = [], wantsPrevious: Bool = false, splitsRevisions: Bool = false,
    wantsProgress: Bool = false, subject: Subject? = nil
  ) {
    self.range = range
    self.startRevision = startRevision
    self.filter = filter
    self.wantsPrevious = wantsPrevious
    self.splitsRevisions = splitsRevisions
    self.wantsProgress = wantsProgress
    self.subject = subject
  }

  func validate() throws(WatchError) {
    guard startRevision >= 0 else { throw .negativeStart }
    guard !range.isEmpty else { throw .emptyRange }
  }

  /// Whether it may be told what is in the store, by the rights of a view.
  func check(_ access: Access) throws(AccessError) {
    if let subject { try access.checkRead(range, for: subject) }
  }
}

extension KeyRange {
  /// No key can be in it.
  fileprivate var isEmpty: Bool {
    guard let end else { return start.isEmpty }
    return !isUnbounded && ByteOrder.compare(start, end) >= 0
  }
}

/// Why there is no such watcher. The same request fails again, but for `tooMany`; for `access`, until rights change.
public enum WatchError: Error, Hashable, Sendable, CustomStringConvertible {
  /// The start revision is below 0.
  case negativeStart
  /// The range ends before it begins, or its key is empty: no key can be in it.
  case emptyRange
  /// On whose behalf the watch is may not read each key of the range.
  case access(AccessError)
  /// The node has as many watchers as it may: try again when some are gone, or on another node.
  case tooMany(limit: Int)

  public var description: String {
    switch self {
    case .negativeStart: "the start revision is negative"
    case .emptyRange: "the range of the watcher is empty"
    case .access(let error): error.description
    case .tooMany(let limit): "the node has \(limit) watchers, and may have no more: try later, or on another node"
    }
  }
}

/// A watcher where it stands, to be read from a view on whatever thread. What is read is then told to `Watchers.commit`.
public struct WatchReader: Sendable {
  public let request: WatchRequest
  public let position: EventPosition
  /// When it was looked whether it may read.
  let checked: AccessStamp

  /// The next piece; see `KeyValueView.events` for the bounds. Whether it may be read is looked up only if rights changed since that was
  /// done last.
  ///
  /// - Throws: `compacted` if the next event may be forgotten, `access` if it may not be read any more.
  public func read(
    _ view: KeyValueView, bytes: Int, work: inout Int
  ) throws(KeyValueError) -> EventPiece {
    if request.subject != nil, checked < view.access.stamp { try granted { () throws(AccessError) in try request.check(view.access) } }
    var piece = try view.events(
      in: request.range, from: position, filter: request.filter, bytes: bytes, work: &work, splitting: request.splitsRevisions)
    piece.checked = max(checked, view.access.stamp)
    return piece
  }
}

/// What a watcher is told.
public enum WatchAnswer: Sendable {
  /// What comes next: perhaps nothing, if no change that was looked at concerns the watcher.
  ///
  /// - isFragment: more events of the last one's revision may follow. Only if revisions may be split.
  /// - isIdle: it has seen everything, and is ready again when something concerns it. Otherwise read again, when it pleases.
  case events([Event], isFragment: Bool, isIdle: Bool)
  /// What it would see next is forgotten, and the watcher is removed. A new one can begin at this revision.
  case compacted(Revision)
  /// It may not read all of its range any more, and is removed.
  case denied(AccessError)
}
