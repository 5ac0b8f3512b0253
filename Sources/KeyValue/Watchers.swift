/// The watchers of one node: who has something to read, found by what the changes concern.
///
/// A watcher is a position that its owner reads from at the watcher's pace; nothing is queued for it. One that has seen everything is
/// *idle*, and costs nothing until a change concerns it: then it is *ready*, once, and stays so until it has read everything.
///
/// ```swift
/// let (id, _) = try watchers.add(WatchRequest(range: KeyRange(prefix: prefix)))
/// // After commands were applied, again until it is finished:
/// var work = 10_000
/// let isFinished = watchers.advance(to: view, work: &work)
/// // Whenever there is time and room:
/// while let id = watchers.nextReady() {
///   switch watchers.read(id, bytes: 64 << 10, work: &work) {
///   case .events(let events, let isFragment, let isIdle)?: send(events)
///   case .compacted(let revision)?: cancel(revision)
///   case nil: break
///   }
/// }
/// ```
///
/// A value that one owner has. It takes some 250 bytes for each watcher, and the key's bytes.
public struct Watchers: Sendable {
  /// Names a watcher for as long as it lives, and none that comes later.
  public typealias ID = WatcherIndex.Watcher

  private struct Slot: Sendable {
    var id: ID
    var request: WatchRequest
    var position: EventPosition
    /// When it was looked whether it may read.
    var checked: AccessStamp
    /// Has seen everything up to `told`, though its position may say less.
    var isIdle = false
    /// Is in `ready`.
    var isQueued = false
    /// Nobody has it.
    var isFree = false
  }

  /// Those who were idle when the store jumped, of whom the first are awake.
  private struct Sweep: Sendable {
    var next: Int
    /// What they have seen.
    let from: EventPosition
  }

  /// The newest view that is known.
  public private(set) var view: KeyValueView
  /// Most watchers there may be.
  public let limit: Int
  /// Watchers that there are.
  public var count: Int { index.count }

  private var index = WatcherIndex()
  /// By the lower half of the identifiers.
  private var slots: [Slot] = []
  private var free: [Int] = []
  /// Who is to read, in turn, from `readyHead` on; some may be gone.
  private var ready: [ID] = []
  private var readyHead = 0
  /// The first change that the idle watchers have not been told of.
  private(set) var told: EventPosition
  private var sweep: Sweep?
  /// The rights that all were looked at for, but for those from here on.
  private var audited: AccessStamp
  private var nextAudited: Int?

  /// - Parameters:
  ///   - view: the newest.
  ///   - limit: most watchers.
  public init(_ view: KeyValueView, limit: Int = Limits.watchers) {
    self.view = view
    self.limit = limit
    told = EventPosition(revision: view.revision + 1)
    audited = view.access.stamp
  }

  // MARK: Coming and going

  /// A new watcher, and the revision that it starts at. It is ready if that is in the past; if it is compacted, the first `read` says so.
  ///
  /// - Parameters:
  ///   - request: what to watch.
  ///   - newer: a view that may be newer than what was shown yet, for what the watcher may read.
  /// - Throws: what is wrong with the request, or that there are too many watchers; nothing is changed.
  public mutating func add(_ request: WatchRequest, in newer: KeyValueView? = nil) throws(WatchError) -> (id: ID, start: Revision) {
    try request.validate()
    var access = view.access
    if let newer, access.stamp < newer.access.stamp { access = newer.access }
    do throws(AccessError) { try request.check(access) } catch { throw .access(error) }
    guard count < limit else { throw .tooMany(limit: limit) }
    let start = request.startRevision > 0 ? request.startRevision : view.revision + 1
    let place = free.popLast() ?? slots.count
    let id = place < slots.count ? slots[place].id &+ Self.generation : ID(place)
    let slot = Slot(id: id, request: request, position: EventPosition(revision: start), checked: access.stamp)
    if place < slots.count { slots[place] = slot } else { slots.append(slot) }
    index.insert(id, watching: request.range)
    settle(place, isEnd: start > view.revision)
    if !slots[place].isIdle { enqueue(place) }
    return (id, start)
  }

  /// Whether there was such a watcher.
  @discardableResult
  public mutating func remove(_ id: ID) -> Bool {
    guard let place = place(of: id) else { return false }
    index.remove(id, watching: slots[place].request.range)
    slots[place].isFree = true
    free.append(place)
    return true
  }

  private static let generation: ID = 1 << 32

  private func place(of id: ID) -> Int? {
    let place = Int(id % Self.generation)
    return place < slots.count && slots[place].id == id && !slots[place].isFree ? place : nil
  }

  // MARK: What changes

  /// Looks which idle watchers the changes up to this view concern: they are ready from now on. What a change costs does not depend on the
  /// watchers of other keys. If what was told last is compacted, every idle watcher is ready, to see whether it missed something.
  ///
  /// - Parameters:
  ///   - view: the newest; views in between may be left out. An older one than was given before is ignored: a node does not go back.
  ///   - work: how many changes, nodes of the index and watchers may be looked at; what was used is taken from it. Passed by one change at
  ///     most, since all watchers that it concerns are ready together.
  /// - Returns: whether all of it was looked at. If not, call again, with the same view or a newer one.
  public mutating func advance(to view: KeyValueView, work: inout Int) -> Bool {
    if view.revision >= self.view.revision, view.compactRevision >= self.view.compactRevision, view.access.stamp >= self.view.access.stamp {
      self.view = view
    }
    let end = EventPosition(revision: self.view.revision + 1)
    if count > 0, told.revision < end.revision, !self.view.remembers(from: told.revision) {
      sweep = Sweep(next: 0, from: sweep?.from ?? told)
      told = end
    }
    guard audit(&work) else { return false }
    guard told < end || sweep != nil else { return true }
    guard goOnWithSweep(&work) else { return false }
    if count > 0 {
      guard tell(&work) else { return false }
    }
    told = end
    return true
  }

  /// When rights changed, those who lost theirs are woken: so a watch ends with the right to it, and not with the next event.
  private mutating func audit(_ work: inout Int) -> Bool {
    let stamp = view.access.stamp
    if audited != stamp {
      audited = stamp
      nextAudited = 0
    }
    guard var next = nextAudited else { return true }
    while next < slots.count, work > 0 {
      work -= 1
      if !slots[next].isFree, slots[next].checked < stamp {
        if (try? slots[next].request.check(view.access)) != nil { slots[next].checked = stamp } else { wake(next, at: position(of: next)) }
      }
      next += 1
    }
    nextAudited = next < slots.count ? next : nil
    return nextAudited == nil
  }

  private mutating func goOnWithSweep(_ work: inout Int) -> Bool {
    guard var sweep else { return true }
    while sweep.next < slots.count, work > 0 {
      work -= 1
      if !slots[sweep.next].isFree { wake(sweep.next, at: sweep.from) }
      sweep.next += 1
    }
    self.sweep = sweep.next < slots.count ? sweep : nil
    return self.sweep == nil
  }

  private mutating func tell(_ work: inout Int) -> Bool {
    // Of its own, since watchers change while it is looked at.
    let index = index
    var events = view.remembered(from: told)
    while let event = events.next() {
      guard work > 0 else { return false }
      let revision = event.modRevision
      told = EventPosition(revision: revision, offset: (told.revision == revision ? told.offset : 0) + 1)
      work -=
        1
        + index.forEach(watching: event.key) { id in
          guard let place = place(of: id), slots[place].position.revision <= revision, slots[place].request.filter.admits(event)
          else { return }
          wake(place, at: EventPosition(revision: revision))
        }
    }
    return true
  }

  /// What an idle watcher passed over does not concern it, and need not be there any more.
  private mutating func wake(_ place: Int, at position: EventPosition) {
    guard slots[place].isIdle else { return }
    slots[place].isIdle = false
    if slots[place].position < position { slots[place].position = position }
    enqueue(place)
  }

  // MARK: Who is ready

  private mutating func enqueue(_ place: Int) {
    guard !slots[place].isQueued else { return }
    if ready.count >= 2 * slots.count + 64 {
      ready = ready[readyHead...].filter { self.place(of: $0) != nil }
      readyHead = 0
    }
    slots[place].isQueued = true
    ready.append(slots[place].id)
  }

  /// The next one that has something to read, first come, first served. Each is told once: then its owner has it in hand, until it is idle.
  public mutating func nextReady() -> ID? {
    while readyHead < ready.count {
      let id = ready[readyHead]
      readyHead += 1
      if readyHead >= 64, 2 * readyHead >= ready.count {
        ready.removeFirst(readyHead)
        readyHead = 0
      }
      guard let place = place(of: id) else { continue }
      slots[place].isQueued = false
      if !slots[place].isIdle { return id }
    }
    return nil
  }

  // MARK: Reading

  /// Reads the next piece from the newest view. See `KeyValueView.events` for the bounds.
  /// - Returns: `nil` if there is no such watcher.
  public mutating func read(_ id: ID, bytes: Int, work: inout Int) -> WatchAnswer? {
    guard let reader = reader(of: id) else { return nil }
    do throws(KeyValueError) {
      let piece = try reader.read(view, bytes: bytes, work: &work)
      return .events(piece.events, isFragment: piece.isFragment, isIdle: commit(id, piece))
    } catch {
      remove(id)
      if case .access(let error) = error { return .denied(error) }
      return .compacted(view.firstEventRevision)
    }
  }

  /// The watcher as it stands, for whoever reads elsewhere; `nil` if there is none.
  public func reader(of id: ID) -> WatchReader? {
    place(of: id).map { WatchReader(request: slots[$0].request, position: position(of: $0), checked: slots[$0].checked) }
  }

  /// A piece was read by `reader(of:)` from some view of this node: the next one begins where it ended.
  ///
  /// - Returns: whether the watcher is idle. If not, read again: also at the end of a view that was not the newest.
  @discardableResult
  public mutating func commit(_ id: ID, _ piece: EventPiece) -> Bool {
    guard let place = place(of: id) else { return false }
    slots[place].position = max(piece.next, position(of: place))
    slots[place].checked = max(slots[place].checked, piece.checked)
    settle(place, isEnd: piece.isEnd)
    return slots[place].isIdle
  }

  /// Who has come to an end before something of which the idle have been told already must look at that first.
  private mutating func settle(_ place: Int, isEnd: Bool) { slots[place].isIdle = isEnd && slots[place].position >= told }

  private func position(of place: Int) -> EventPosition {
    slots[place].isIdle ? max(slots[place].position, sweep?.from ?? told) : slots[place].position
  }

  // MARK: Progress

  /// The revision up to which an idle watcher has seen everything, as etcd's progress notification tells it; `nil` if it is not idle, or
  /// there is none.
  public func progress(of id: ID) -> Revision? {
    guard let place = place(of: id), slots[place].isIdle else { return nil }
    return min(position(of: place).revision - 1, view.revision)
  }

  /// The same for several, those that are gone left out; `nil` as long as one of them is not idle. The newest revision if there are none.
  public func progress(of ids: some Sequence<ID>) -> Revision? {
    var least = view.revision
    for id in ids where place(of: id) != nil {
      guard let progress = progress(of: id) else { return nil }
      least = min(least, progress)
    }
    return least
  }
}

extension Watchers {
  /// What one takes here, beside its key's bytes.
  static var slotBytes: Int { MemoryLayout<Slot>.stride }

  /// Entries of the queue of those who are ready, the dead ones too.
  var waiting: Int { ready.count }
}
