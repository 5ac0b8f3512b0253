import Testing

@testable import KeyValue

/// What a watcher reads.
@Suite struct WatchingTests {
  private static func texts(_ events: some Sequence<Event>) -> [String] {
    events.map { "\($0.modRevision) \(String(decoding: $0.key, as: UTF8.self)) \($0.isDeletion)" }
  }

  /// In pieces of any size, from views that are ever newer, the same events come as from one look at the end.
  @Test(arguments: 1...6 as ClosedRange<UInt64>, [false, true])
  func piecesAreCompleteAndInOrder(seed: UInt64, splitting: Bool) throws {
    var generator = Generator(seed: seed)
    var machine = KeyValueMachine()
    let range = seed % 2 == 0 ? KeyRange.all : KeyRange("k1", "k25")
    let filter: EventFilter = [[], .noPut, .noDelete][Int(seed % 3)]
    var position = EventPosition(revision: 1)
    var read: [Event] = []
    var (fragments, pauses) = (0, 0)
    for _ in 0..<1500 {
      machine.perform(generator.request())
      guard generator.chance(20) else { continue }
      var work = generator.below(20)
      let view = machine.view
      let piece = try view.events(
        in: range, from: position, filter: filter, bytes: generator.below(60), work: &work, splitting: splitting)
      if !splitting, let first = piece.events.first { #expect(first.modRevision > read.last?.modRevision ?? 0) }
      if piece.isFragment { fragments += 1 }
      if !piece.isEnd { pauses += 1 }
      read += piece.events
      position = piece.next
    }
    while position.revision <= machine.view.revision {
      var work = 7
      let piece = try machine.view.events(in: range, from: position, filter: filter, bytes: 30, work: &work, splitting: splitting)
      read += piece.events
      position = piece.next
    }
    let all = machine.view.events(from: 0).filter { range.contains($0.key) && filter.admits($0) }
    #expect(Self.texts(read) == Self.texts(all))
    #expect(all.count > 100 && pauses > 50)
    #expect((fragments > 0) == splitting)
  }

  /// No work, no room: a watcher stays where it is, and does not miss anything.
  @Test func nothingIsLostWithoutWork() throws {
    let machine = KeyValueMachine(.transaction(then: [.put("a", "1"), .put("b", "2"), .put("c", "3")]), .put("a", "4"))
    var work = 0
    let none = try machine.view.events(in: .all, from: EventPosition(revision: 2), bytes: 100, work: &work)
    #expect(none.events.isEmpty && none.next == EventPosition(revision: 2) && !none.isEnd)
    // A revision is not split, though it is larger than a piece.
    work = 1
    let whole = try machine.view.events(in: .all, from: EventPosition(revision: 2), bytes: 1, work: &work)
    #expect(Self.texts(whole.events) == ["2 a false", "2 b false", "2 c false"])
    // What does not concern the watcher may be passed over in parts.
    work = 2
    let part = try machine.view.events(in: KeyRange("c"), from: EventPosition(revision: 2), bytes: 1, work: &work)
    #expect(part.events.isEmpty && part.next == EventPosition(revision: 2, offset: 2) && !part.isFragment)
  }

  @Test func whoFallsBehindTheCompactionIsTold() throws {
    var machine = KeyValueMachine(.put("a", "1"), .put("a", "2"), .put("a", "3"))
    try _ = machine.compact(at: 3).get()
    var work = 100
    #expect(throws: KeyValueError.compacted) {
      try machine.view.events(in: .all, from: EventPosition(revision: 2), bytes: 100, work: &work)
    }
    let kept = try machine.view.events(in: .all, from: EventPosition(revision: 3), bytes: 100, work: &work)
    #expect(Self.texts(kept.events) == ["3 a false", "4 a false"])
    #expect(kept.isEnd && kept.next == EventPosition(revision: 5))
    // One who waits for the future waits.
    let future = try machine.view.events(in: .all, from: EventPosition(revision: 9), bytes: 100, work: &work)
    #expect(future.events.isEmpty && future.isEnd && future.next == EventPosition(revision: 9))
  }
}

@Suite struct WatcherIndexTests {
  @Test(arguments: 1...5 as ClosedRange<UInt64>) func findsWhoAWalkWouldFind(seed: UInt64) {
    var generator = Generator(seed: seed)
    var index = WatcherIndex()
    var naive: [(watcher: UInt64, range: KeyRange)] = []
    for number in 0..<1500 as Range<UInt64> {
      if generator.chance(60) || naive.isEmpty {
        let range = generator.range()
        index.insert(number, watching: range)
        naive.append((number, range))
      } else {
        let gone = naive.remove(at: generator.below(naive.count))
        let outcomes = [index.remove(gone.watcher, watching: gone.range), index.remove(gone.watcher, watching: gone.range)]
        #expect(outcomes == [true, false])
      }
      #expect(index.count == naive.count)
      let key = generator.key()
      var found: [UInt64] = []
      index.forEach(watching: key) { found.append($0) }
      #expect(found.sorted() == naive.filter { $0.range.contains(key) }.map(\.watcher).sorted())
    }
    for (watcher, range) in naive { index.remove(watcher, watching: range) }
    #expect(index.count == 0)
  }

  /// Ten thousand watchers of other keys, of single ones and of ranges, are passed over in a few steps.
  @Test func watchersOfOtherKeysCostNothing() {
    var index = WatcherIndex()
    for number in 0..<10_000 as Range<UInt64> {
      let name = "/jobs/\(100_000 + number)/"
      index.insert(number, watching: number % 2 == 0 ? KeyRange(prefix: k(name)) : KeyRange(k(name)))
    }
    var found: [UInt64] = []
    for key in ["/a", "/jobs/100500/x", "/jobs/10050", "/jobs/105001/x", "/zebra"] {
      #expect(index.forEach(watching: k(key)) { found.append($0) } < 100)
    }
    #expect(found == [500])
  }
}
