import Testing

@testable import Raft

@Suite struct MemoryLogTests {
  /// What a log must do, the slow way.
  struct Model {
    var start = LogPosition.zero
    var entries: [Entry] = []
    var lastIndex: LogIndex { start.index + UInt64(entries.count) }

    func term(at index: LogIndex) -> Term? {
      index == start.index ? start.term : entries.first { $0.index == index }?.term
    }
  }

  @Test(arguments: 1...20 as ClosedRange<UInt64>) func doesWhatTheModelDoes(seed: UInt64) {
    var random = PseudoRandom(seed: seed)
    var model = Model()
    var log = MemoryLog(start: .zero, entries: [])
    var term: Term = 1
    for _ in 0..<300 {
      let index = random.below(model.lastIndex + 3)
      switch random.below(6) {
      case 0, 1, 2:
        term += random.below(2)
        let payloads = (0...random.below(3)).map { _ in [UInt8](repeating: 1, count: Int(random.below(40)))[...] }
        let new = Entry.batch(of: payloads, kind: .command, first: model.lastIndex + 1, term: term)
        log.append(new)
        model.entries += new
      case 3:
        log.truncate(from: index)
        if index > model.start.index { model.entries.removeAll { $0.index >= index } }
      case 4:
        log.compact(through: index)
        if index > model.start.index, let term = model.term(at: index) {
          model.entries.removeAll { $0.index <= index }
          model.start = LogPosition(index: index, term: term)
        }
      default:
        guard random.below(10) == 0 else { continue }
        let position = LogPosition(index: model.lastIndex + random.below(5), term: term)
        log.reset(to: position)
        model = Model(start: position)
      }
      expectSame(log, model, &random)
    }
  }

  private func expectSame(_ log: MemoryLog, _ model: Model, _ random: inout PseudoRandom) {
    #expect(log.start == model.start)
    #expect(log.lastIndex == model.lastIndex)
    #expect(log.last == model.entries.last?.position ?? model.start)
    #expect(log.bytes == model.entries.reduce(0) { $0 + $1.record.count })
    for index in 0...(model.lastIndex + 2) {
      #expect(log.term(at: index) == model.term(at: index))
      #expect(log.suffix(from: index) == (index <= model.start.index ? [] : model.entries.filter { $0.index >= index }))
    }
    let (index, term) = (random.below(model.lastIndex + 3), random.below(8))
    let expected = model.entries.last { $0.index <= index && $0.term <= term }?.position ?? model.start
    #expect(log.lastPosition(atOrBefore: index, withTermAtMost: term) == expected)
  }

  @Test func aSliceHasOneEntryAtLeastAndSkipsNone() {
    let sizes = [10, 10, 500, 10]
    let entries = Entry.batch(of: sizes.map { [UInt8](repeating: 0, count: $0)[...] }, kind: .command, first: 1, term: 1)
    let log = MemoryLog(start: .zero, entries: entries)
    let small = 10 + Entry.headerSize
    #expect(log.slice(from: 1, limit: 2 * small).map(\.index) == [1, 2])
    #expect(log.slice(from: 1, limit: 2 * small - 1).map(\.index) == [1])
    #expect(log.slice(from: 1, limit: 0).map(\.index) == [1])
    // Not [1, 2, 4]: the large one stops the batch.
    #expect(log.slice(from: 1, limit: 3 * small).map(\.index) == [1, 2])
    #expect(log.slice(from: 3, limit: small).map(\.index) == [3])
    #expect(log.slice(from: 5, limit: 1000).isEmpty)
    #expect(log.slice(from: 0, limit: 1000).isEmpty)
    #expect(log.slice(from: .max, limit: 1000).isEmpty)
  }

  @Test func leavesSoManyBytes() {
    let entries = Entry.batch(of: (0..<10).map { _ in [UInt8](repeating: 0, count: 75)[...] }, kind: .command, first: 1, term: 1)
    let log = MemoryLog(start: .zero, entries: entries)
    #expect(log.indexLeaving(bytes: 0, before: 8) == 8)
    #expect(log.indexLeaving(bytes: 1, before: 8) == 7)
    #expect(log.indexLeaving(bytes: 200, before: 8) == 6)
    #expect(log.indexLeaving(bytes: 10_000, before: 8) == 0)
    #expect(log.indexLeaving(bytes: 0, before: .max) == 10)
  }
}
