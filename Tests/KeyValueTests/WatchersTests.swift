import Replica
import Testing

@testable import KeyValue

/// Who is told what, and who is left alone.
@Suite struct WatchersTests {
  private static func text(_ event: Event) -> String {
    "\(event.modRevision) \(String(decoding: event.key, as: UTF8.self))\(event.isDeletion ? " gone" : "")"
  }

  private static func texts(_ answer: WatchAnswer?) -> [String] {
    guard case .events(let events, _, _)? = answer else { return ["\(answer.map { "\($0)" } ?? "nobody")"] }
    return events.map(Self.text)
  }

  /// A node with what watches it.
  private final class Node {
    var machine: KeyValueMachine
    var watchers: Watchers

    init(_ requests: Request..., limit: Int = 100) {
      machine = KeyValueMachine()
      for request in requests { machine.perform(request) }
      watchers = Watchers(machine.view, limit: limit)
    }

    /// Steps that were taken.
    @discardableResult
    func perform(_ requests: Request...) -> Int {
      for request in requests { machine.perform(request) }
      var work = 1_000_000
      let isFinished = watchers.advance(to: machine.view, work: &work)
      #expect(isFinished)
      return 1_000_000 - work
    }

    func read(_ id: Watchers.ID, bytes: Int = 1000, work: Int = 1000) -> WatchAnswer? {
      var work = work
      return watchers.read(id, bytes: bytes, work: &work)
    }

    func ready() -> [Watchers.ID] {
      var found: [Watchers.ID] = []
      while let id = watchers.nextReady() { found.append(id) }
      return found
    }

    func add(_ request: WatchRequest) throws -> (id: Watchers.ID, start: Revision) { try watchers.add(request) }

    @discardableResult
    func remove(_ id: Watchers.ID) -> Bool { watchers.remove(id) }

    func isIdle(_ id: Watchers.ID) -> Bool { watchers.progress(of: id) != nil }
  }

  @Test func aWatcherIsReadyWhenSomethingConcernsIt() throws {
    let node = Node(.put("a", "1"), .put("b", "2"))
    let (a, startA) = try node.add(WatchRequest(range: KeyRange("a")))
    let (b, startB) = try node.add(WatchRequest(range: KeyRange("b"), startRevision: 2))
    let (all, _) = try node.add(WatchRequest(range: .all, startRevision: 2))
    #expect([startA, startB] == [4, 2])
    // What is there already is to be read at once.
    #expect(node.ready() == [b, all])
    #expect(Self.texts(node.read(b)) == ["3 b"])
    #expect(Self.texts(node.read(all, bytes: 1)) == ["2 a"])
    #expect(!node.isIdle(all) && node.isIdle(a) && node.isIdle(b))
    node.perform(.delete("a"), .put("c"))
    // One that has not read everything is not told again.
    #expect(node.ready() == [a])
    #expect(Self.texts(node.read(a)) == ["4 a gone"])
    #expect(Self.texts(node.read(all)) == ["3 b", "4 a gone", "5 c"])
    node.perform(.put("a"), .put("a"))
    #expect(node.ready() == [a, all])
    #expect(Self.texts(node.read(a)) == ["6 a", "7 a"])
    #expect(node.ready().isEmpty)
  }

  @Test func refusesWhatNobodyCanWatch() throws {
    let node = Node(limit: 2)
    func refuses(_ error: WatchError, _ request: WatchRequest) {
      #expect(throws: error) { try node.add(request) }
    }
    refuses(.negativeStart, WatchRequest(range: .all, startRevision: -1))
    refuses(.emptyRange, WatchRequest(range: KeyRange("b", "b")))
    refuses(.emptyRange, WatchRequest(range: KeyRange("b", "a")))
    refuses(.emptyRange, WatchRequest(range: KeyRange("")))
    let (first, _) = try node.add(WatchRequest(range: KeyRange(start: k("b"), end: [0])))
    _ = try node.add(WatchRequest(range: .all))
    refuses(.tooMany(limit: 2), WatchRequest(range: .all))
    let outcomes = [node.remove(first), node.remove(first)]
    #expect(outcomes == [true, false])
    // Whoever has its place is somebody else.
    let (third, _) = try node.add(WatchRequest(range: KeyRange("x")))
    #expect(third != first && node.read(first) == nil && node.watchers.count == 2)
    node.perform(.put("b"))
    #expect(!node.ready().contains(third))
  }

  /// A start in the future is waited for, whatever happens before.
  @Test func waitsForTheFuture() throws {
    let node = Node(.put("a"))
    let (id, start) = try node.add(WatchRequest(range: KeyRange("a"), startRevision: 5))
    node.perform(.put("a"), .put("a"))
    #expect(start == 5 && node.ready().isEmpty)
    #expect(node.watchers.progress(of: id) == 4)
    node.perform(.put("a"), .put("a"))
    #expect(node.ready() == [id])
    #expect(Self.texts(node.read(id)) == ["5 a", "6 a"])
  }

  @Test func aStartBelowTheCompactionIsToldSo() throws {
    let node = Node(.put("a"), .put("a"), .put("a"))
    node.perform(.compaction(CompactionRequest(revision: 3)))
    let (id, start) = try node.add(WatchRequest(range: .all, startRevision: 2))
    #expect(start == 2 && node.ready() == [id])
    guard case .compacted(3)? = node.read(id) else {
      Issue.record("not told")
      return
    }
    #expect(node.read(id) == nil && node.watchers.count == 0)
    let (next, _) = try node.add(WatchRequest(range: .all, startRevision: 3))
    #expect(Self.texts(node.read(next)) == ["3 a", "4 a"])
  }

  @Test func filtersAndPairsBefore() throws {
    let node = Node()
    let (puts, _) = try node.add(WatchRequest(range: .all, filter: .noDelete, wantsPrevious: true))
    let (deletes, _) = try node.add(WatchRequest(range: .all, filter: .noPut))
    node.perform(.put("a", "1"), .put("a", "2"))
    // Not woken by what it does not want.
    #expect(node.ready() == [puts])
    guard case .events(let events, _, true)? = node.read(puts) else {
      Issue.record("no events")
      return
    }
    #expect(events.map(\.previous?.value) == [nil, k("1")])
    node.perform(.delete("a"))
    #expect(node.ready() == [deletes])
    #expect(Self.texts(node.read(deletes)) == ["4 a gone"])
  }

  /// Compaction takes nothing from those who have seen everything that concerns them, however far back that was.
  @Test func compactionConcernsOnlyWhoMissedSomething() throws {
    let node = Node(.put("z"))
    let (a, _) = try node.add(WatchRequest(range: KeyRange("a")))
    let (b, _) = try node.add(WatchRequest(range: KeyRange("b")))
    // Views in between are not shown: the compaction passes what was told last.
    node.perform(.put("b"), .put("c"), .put("c"), .compaction(CompactionRequest(revision: 5)))
    #expect(node.ready() == [b])
    guard case .compacted(5)? = node.read(b) else {
      Issue.record("not told")
      return
    }
    node.perform(.put("a"))
    #expect(node.ready() == [a])
    #expect(Self.texts(node.read(a)) == ["6 a"])
  }

  /// After a snapshot without a past nobody knows who missed something: all look, and those who are behind are told so.
  @Test func afterAJumpEveryoneLooks() throws {
    let node = Node(.put("a"))
    var ids: [Watchers.ID] = []
    for start in [0, 2, 9] as [Revision] { ids.append(try node.add(WatchRequest(range: KeyRange("x"), startRevision: start)).id) }
    // The second has read everything, and lags behind in nothing.
    _ = node.read(ids[1])
    for _ in 0..<5 { node.machine.perform(.put("b")) }
    node.machine.state = node.machine.view.withoutPast
    var work = 1
    let isFinished = node.watchers.advance(to: node.machine.view, work: &work)
    #expect(!isFinished && node.watchers.progress(of: ids) == nil)
    node.perform()
    #expect(Set(node.ready()) == Set(ids))
    var cancelled: [Watchers.ID] = []
    for id in ids { if case .compacted(8)? = node.read(id) { cancelled.append(id) } }
    #expect(cancelled == [ids[0], ids[1]])
    // A new one can begin where it is told to.
    let (next, _) = try node.add(WatchRequest(range: .all, startRevision: 8))
    #expect(Self.texts(node.read(next)) == [] && node.isIdle(next))
    node.remove(next)
    node.perform(.put("x"), .put("x"))
    #expect(node.ready() == [ids[2]])
    #expect(Self.texts(node.read(ids[2])) == ["9 x"])
  }

  /// A view that was overtaken on its way changes nothing.
  @Test func anOlderViewIsIgnored() throws {
    let node = Node()
    let old = node.machine.view
    let (id, _) = try node.add(WatchRequest(range: .all))
    node.perform(.put("a"))
    var work = 100
    let isFinished = node.watchers.advance(to: old, work: &work)
    #expect(isFinished)
    #expect(node.watchers.view.revision == 2)
    #expect(Self.texts(node.read(id)) == ["2 a"])
  }

  /// In as many steps as it takes, also within a revision.
  @Test func workIsBounded() throws {
    let node = Node()
    let (c, _) = try node.add(WatchRequest(range: KeyRange("c")))
    node.machine.perform(.transaction(then: [.put("a"), .put("b"), .put("c"), .put("d")]))
    var calls = 1
    while true {
      var work = 1
      if node.watchers.advance(to: node.machine.view, work: &work) { break }
      #expect(node.watchers.progress(of: c) ?? 1 == 1)
      // One that comes meanwhile starts behind it.
      if calls == 2 { _ = try node.add(WatchRequest(range: KeyRange("d"))) }
      calls += 1
    }
    #expect(calls >= 4)
    #expect(node.ready() == [c])
    #expect(Self.texts(node.read(c)) == ["2 c"])
  }

  /// Ten thousand watchers of other keys, of single ones and of ranges, add no step, and those of other keys that are busy none either.
  @Test func watchersOfOtherKeysCostNothing() throws {
    func steps(others: Int, range: (Int) -> KeyRange) throws -> Int {
      let node = Node(.put("/jobs/0"), limit: 20_000)
      let (id, _) = try node.add(WatchRequest(range: KeyRange("a")))
      for number in 0..<others { _ = try node.add(WatchRequest(range: range(number), startRevision: number % 2 == 0 ? 0 : 2)) }
      let steps = node.perform(.put("a"), .put("b"), .put("zebra"))
      #expect(node.ready().last == id)
      return steps
    }
    let alone = try steps(others: 0) { _ in .all }
    #expect(alone == 4)
    #expect(try steps(others: 10_000) { KeyRange("/jobs/\($0)") } == alone)
    #expect(try steps(others: 10_000) { KeyRange(prefix: k("/jobs/\($0)/")) } < alone + 10)
  }

  /// A million changes of others while a watcher was idle are not looked at when it wakes.
  @Test func whoWakesDoesNotLookBack() throws {
    let node = Node()
    let (id, _) = try node.add(WatchRequest(range: KeyRange("a")))
    for _ in 0..<500 { node.perform(.put("b"), .put("c")) }
    node.perform(.put("a"))
    var work = 1000
    let answer = node.watchers.read(id, bytes: 100, work: &work)
    #expect(Self.texts(answer) == ["1002 a"])
    #expect(work == 999)
  }

  @Test func progressIsThatOfWhoHasSeenEverything() throws {
    let node = Node(.put("a"))
    #expect(node.watchers.progress(of: []) == 2)
    let (a, _) = try node.add(WatchRequest(range: KeyRange("a")))
    let (b, _) = try node.add(WatchRequest(range: KeyRange("b"), wantsProgress: true))
    #expect(node.watchers.progress(of: [a, b]) == 2)
    node.perform(.put("a"), .put("c"))
    #expect(node.watchers.progress(of: b) == 4 && node.watchers.progress(of: a) == nil)
    #expect(node.watchers.progress(of: [a, b]) == nil)
    _ = node.read(a)
    #expect(node.watchers.progress(of: [a, b]) == 4)
    node.remove(a)
    #expect(node.watchers.progress(of: a) == nil && node.watchers.progress(of: [a, b]) == 4)
  }

  /// Who reads elsewhere, from a view that is no longer the newest, has to look again.
  @Test func aPieceFromAnOlderViewIsNotTheEnd() throws {
    let node = Node(.put("a"))
    let (id, _) = try node.add(WatchRequest(range: KeyRange("a"), startRevision: 2))
    let view = node.machine.view
    let reader = try #require(node.watchers.reader(of: id))
    node.perform(.put("a"))
    var work = 100
    let piece = try reader.read(view, bytes: 100, work: &work)
    #expect(piece.isEnd && piece.events.count == 1)
    let isIdle = node.watchers.commit(id, piece)
    #expect(!isIdle)
    #expect(Self.texts(node.read(id)) == ["3 a"])
    #expect(node.isIdle(id))
    // One that was answered late does not go back.
    let isStillIdle = node.watchers.commit(id, piece)
    #expect(isStillIdle)
    node.perform(.put("a"))
    #expect(Self.texts(node.read(id)) == ["4 a"])
  }

  /// Those who come, are ready and go, again and again, leave nothing behind.
  @Test func whoIsGoneLeavesRoom() throws {
    let node = Node(.put("a"))
    let (stays, _) = try node.add(WatchRequest(range: .all, startRevision: 2))
    for _ in 0..<10_000 { node.remove(try node.add(WatchRequest(range: KeyRange("a"), startRevision: 2)).id) }
    #expect(node.watchers.waiting < 200)
    #expect(node.ready() == [stays])
    #expect(node.watchers.waiting < 100)
  }

  @Test func aWatcherTakesLittle() {
    #expect(Watchers.slotBytes <= 80 && WatcherIndex.nodeBytes <= 80)
  }
}
