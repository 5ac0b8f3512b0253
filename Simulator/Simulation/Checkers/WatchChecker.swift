import KeyValue

/// Checks what watchers are told against what the log did: in order, complete, no gap, no repeat, nothing that is not committed, each
/// revision in one piece unless it may be split, and with the pair that was there before.
///
/// It believes the model alone, not the store; so it does in who may read what, whenever that changed.
struct WatchChecker {
  /// An event as a client has it.
  struct Told: Equatable {
    let revision: Revision
    let key: Key
    /// `nil`: deleted.
    let new: KeyValuePair?
    var old: KeyValuePair?

    init(revision: Revision, key: Key, new: KeyValuePair?, old: KeyValuePair?) {
      self.revision = revision
      self.key = key
      self.new = new
      self.old = old
    }

    init(_ event: Event) { self.init(revision: event.modRevision, key: event.key, new: event.pair, old: event.previous) }
  }

  /// What one client wants, and has.
  struct Account {
    let request: WatchRequest
    /// Everything before this revision was told, or does not concern it.
    var next: Revision
    /// What is there of a revision that may come in several pieces.
    private(set) var part: [Told] = []

    init(_ request: WatchRequest, next: Revision) {
      self.request = request
      self.next = next
    }

    /// The connection is gone, and what has no end is worth nothing.
    mutating func breakOff() { part = [] }

    fileprivate mutating func add(_ told: Told) { part.append(told) }

    fileprivate mutating func takePart() -> [Told] {
      defer { part = [] }
      return part
    }
  }

  /// What each revision did, from the second on.
  private var history: [[NaivePast.Change]] = []
  /// From this revision on they can be told what happened.
  private var firstEvents: Revision = -1
  /// Who might do what since when: all there ever was, the newest last.
  private var rights: [NaiveAccess] = [NaiveAccess()]

  var newest: Revision { Revision(history.count) + 1 }

  /// The log goes on to this state.
  mutating func committed(_ model: NaiveStore) {
    firstEvents = model.firstEvents
    if let last = rights.last, !Self.isStamp(model.access.revision, model.access.isEnabled, of: last) { rights.append(model.access) }
    if let state = model.past.newest, state.revision == newest + 1 { history.append(state.changes) }
  }

  // MARK: Who may watch

  private static func isStamp(_ revision: Int64, _ isEnabled: Bool, of access: NaiveAccess) -> Bool {
    access.revision == revision && access.isEnabled == isEnabled
  }

  /// By the rights that a node has come to; by the newest, if none are named.
  func mayWatch(_ request: WatchRequest, at stamp: AccessStamp? = nil) -> Bool {
    let access = rights.last { access in stamp.map { Self.isStamp($0.revision, $0.isEnabled, of: access) } ?? true }
    // Rights that the log never gave are none.
    return access?.mayRead(request.range, request.subject) ?? false
  }

  /// - Parameter isDenied: that it may not watch, or not any more.
  /// - Returns: what is wrong with what a node answered.
  func judged(_ request: WatchRequest, isDenied: Bool, by stamp: AccessStamp) -> String? {
    guard isDenied == mayWatch(request, at: stamp) else { return nil }
    let who = KeyValueWords.text(of: request.range) + " at \(stamp.revision)"
    return isDenied ? "may watch \(who), and is denied it" : "may not watch \(who), and is not denied it"
  }

  // MARK: What a client is told

  /// - Parameter compactRevision: of the view that was read: of what it has forgotten no pair before is told.
  /// - Returns: what is wrong.
  func told(_ events: [Told], isFragment: Bool, compactRevision: Revision, to account: inout Account) -> String? {
    if isFragment, !account.request.splitsRevisions { return "is told a part of a revision, and did not ask for parts" }
    for event in events {
      if let last = account.part.last, last.revision != event.revision, let text = close(&account, compactRevision) { return text }
      account.add(event)
    }
    return events.isEmpty || isFragment ? nil : close(&account, compactRevision)
  }

  /// It is told that it has seen everything through a revision.
  func seen(through revision: Revision, compactRevision: Revision, by account: inout Account) -> String? {
    if let text = close(&account, compactRevision) { return text }
    guard revision <= newest else { return "has seen revision \(revision), the log has only \(newest)" }
    guard revision >= account.next else { return nil }
    if let text = gap(before: revision + 1, of: account) { return text }
    account.next = revision + 1
    return nil
  }

  /// It is told that what it would see next is forgotten: it goes on from there.
  func cancelled(at revision: Revision, _ account: inout Account) -> String? {
    guard revision <= firstEvents else { return "is cancelled at \(revision), the log has the changes from \(firstEvents) on" }
    guard account.next < revision else { return "is cancelled at \(revision), and would have gone on at \(account.next)" }
    account.breakOff()
    account.next = revision
    return nil
  }

  private func close(_ account: inout Account, _ compactRevision: Revision) -> String? {
    let part = account.takePart()
    guard let revision = part.first?.revision else { return nil }
    guard revision >= account.next else { return "is told of revision \(revision) again, or late: \(account.next) comes next" }
    guard revision <= newest else { return "is told of revision \(revision), the log has only \(newest)" }
    if let text = gap(before: revision, of: account) { return text }
    var expected = wanted(at: revision, by: account.request).map { change in
      Told(revision: revision, key: change.key, new: change.new, old: revision > compactRevision ? change.old : nil)
    }
    // Of a revision in parts, some may have been read before the compaction.
    if account.request.splitsRevisions, revision <= compactRevision, part.count == expected.count {
      for (place, change) in wanted(at: revision, by: account.request).enumerated() where part[place].old != nil {
        expected[place].old = change.old
      }
    }
    guard part == expected else { return Self.contrast(part, expected) }
    account.next = revision + 1
    return nil
  }

  private func gap(before revision: Revision, of account: Account) -> String? {
    var missed = max(account.next, 2)
    while missed < revision {
      if let change = wanted(at: missed, by: account.request).first {
        return "is not told of \(KeyValueWords.text(of: KeyRange(change.key))) at \(missed), and is at \(revision) already"
      }
      missed += 1
    }
    return nil
  }

  private func wanted(at revision: Revision, by request: WatchRequest) -> [NaivePast.Change] {
    guard revision >= 2, revision <= newest else { return [] }
    return history[Int(revision) - 2].filter { change in
      Self.isIn(request.range, change.key) && !request.filter.contains(change.new == nil ? .noDelete : .noPut)
    }
  }

  /// Once more, without the help of the store.
  private static func isIn(_ range: KeyRange, _ key: Key) -> Bool {
    guard let end = range.end else { return key == range.start }
    return !key.lexicographicallyPrecedes(range.start) && (end == [0] || key.lexicographicallyPrecedes(end))
  }

  private static func contrast(_ part: [Told], _ expected: [Told]) -> String {
    let revision = part[0].revision
    guard part.count == expected.count else {
      return "is told of \(part.count) changes of revision \(revision), the log made \(expected.count)"
    }
    for (told, right) in zip(part, expected) where told != right {
      let key = KeyValueWords.text(of: KeyRange(told.key))
      if told.key != right.key { return "is told of \(key) at \(revision) instead of \(KeyValueWords.text(of: KeyRange(right.key)))" }
      return "is told another pair of \(key) at \(revision), \(told.new == right.new ? "before" : "after") the change, than the log has"
    }
    return "is told something else of revision \(revision) than the log did"
  }
}
