import Replica
import Testing

@testable import KeyValue

/// Many watchers at random, each held against a filter of everything that ever happened.
@Suite struct WatchersModelTests {
  private struct Happened: Equatable {
    let revision: Revision
    let key: Key
    let value: Value?
    let previous: Value?

    init(_ event: Event) {
      revision = event.modRevision
      key = event.key
      value = event.pair?.value
      previous = event.previous?.value
    }
  }

  private struct Told {
    let request: WatchRequest
    let start: Revision
    var events: [Happened] = []
    var isFragment = false
    /// The newest revision when it was idle last, and the one to which the store has jumped since.
    var idleAt: Revision?
    var jumpedAt: Revision?
    var isOver = false

    func wants(_ event: Happened) -> Bool {
      event.revision >= start && request.range.contains(event.key) && !request.filter.contains(event.value == nil ? .noDelete : .noPut)
    }
  }

  private struct Trial {
    var generator: Generator
    var machine = KeyValueMachine()
    var watchers = Watchers(KeyValueMachine().view, limit: 60)
    var history: [Happened] = []
    var told: [Watchers.ID: Told] = [:]
    /// In the order in which they came.
    var ids: [Watchers.ID] = []
    /// Those who are not idle, as far as their owner knows.
    var inHand: [Watchers.ID] = []
    var (cancelled, fragments, jumps, refused) = (0, 0, 0, 0)
    /// At the next chance: when there is something to jump over.
    var mustJump = false

    init(seed: UInt64) { generator = Generator(seed: seed) }

    mutating func change() {
      let before = machine.view.revision
      if generator.chance(3) {
        machine.perform(.compaction(CompactionRequest(revision: before - Int64(generator.below(15)))))
      } else if mustJump || generator.below(200) == 0 {
        jump()
      } else {
        machine.perform(generator.request())
      }
      // What it replaced is what is told, as long as it is not compacted when the watcher reads: see `check`.
      history += machine.view.events(from: before + 1).map(Happened.init)
      // What was compacted is forgotten before anybody was told of it.
      if !machine.view.remembers(from: watchers.told.revision) { haveJumped() }
    }

    /// As from a snapshot without a past, a few changes later.
    private mutating func jump() {
      for _ in 0..<generator.below(5) {
        let before = machine.view.revision
        machine.perform(generator.request())
        history += machine.view.events(from: before + 1).map(Happened.init)
      }
      let view = machine.view
      mustJump = view.revision <= watchers.view.revision
      guard !mustJump else { return }
      machine.state = view.withoutPast
      jumps += 1
      haveJumped()
    }

    private mutating func haveJumped() { for id in ids { told[id]?.jumpedAt = machine.view.revision } }

    mutating func come() throws {
      let newest = watchers.view.revision
      let start = [0, 0, max(1, newest - 30 + Revision(generator.below(50)))][generator.below(3)]
      let request = WatchRequest(
        range: generator.range(), startRevision: start, filter: [[], [], .noPut, .noDelete][generator.below(4)],
        splitsRevisions: generator.chance(50))
      do {
        let (id, start) = try watchers.add(request)
        told[id] = Told(request: request, start: start, idleAt: watchers.progress(of: id))
        ids.append(id)
      } catch {
        refused += 1
      }
    }

    mutating func advance() {
      var work = generator.chance(50) ? 1000 : generator.below(12)
      _ = watchers.advance(to: machine.view, work: &work)
      while generator.chance(80), let id = watchers.nextReady() { inHand.append(id) }
    }

    mutating func read() {
      guard !inHand.isEmpty else { return }
      let place = generator.below(inHand.count)
      if read(inHand[place], bytes: generator.below(60), work: generator.below(30)) { inHand.remove(at: place) }
    }

    /// Whether it need not be read again for now.
    mutating func read(_ id: Watchers.ID, bytes: Int, work: Int) -> Bool {
      var work = work
      guard let answer = watchers.read(id, bytes: bytes, work: &work), var told = told[id] else { return true }
      defer { self.told[id] = told }
      switch answer {
      case .events(let events, let isFragment, let isIdle):
        check(events, after: told)
        if isFragment { fragments += 1 }
        if !events.isEmpty { told.isFragment = isFragment }
        told.events += events.map(Happened.init)
        told.idleAt = isIdle ? watchers.view.revision : nil
        // The watchers may still have the view from before.
        if isIdle, watchers.view.revision >= told.jumpedAt ?? 0 { told.jumpedAt = nil }
        return isIdle
      case .compacted(let revision):
        cancelled += 1
        told.isOver = true
        #expect(revision == watchers.view.firstEventRevision)
        // Not whoever had seen everything that concerns it.
        if let idleAt = told.idleAt, told.jumpedAt == nil {
          #expect(history.contains { told.wants($0) && $0.revision > idleAt && $0.revision < revision })
        }
        return true
      case .denied(let error):
        Issue.record("denied: \(error)")
        return true
      }
    }

    private func check(_ events: [Event], after told: Told) {
      guard let first = events.first, let last = told.events.last else { return }
      #expect(first.modRevision > last.revision || told.isFragment && told.request.splitsRevisions)
    }

    /// What was told is how what it wants begins; all of it, unless it was cancelled.
    func check() {
      for id in ids {
        guard let told = told[id] else { continue }
        let wanted = history.filter(told.wants)
        let expected = told.isOver ? Array(wanted.prefix(told.events.count)) : wanted
        #expect(told.events.map(\.revision) == expected.map(\.revision) && told.events.map(\.key) == expected.map(\.key))
        #expect(told.events.map(\.value) == expected.map(\.value))
        // Nothing is told of what is compacted.
        #expect(zip(told.events, expected).allSatisfy { $0.previous == $1.previous || $0.previous == nil })
      }
    }

    mutating func leave() {
      guard generator.chance(40), !ids.isEmpty else { return }
      let id = ids[generator.below(ids.count)]
      guard watchers.remove(id) else { return }
      told[id]?.isOver = true
    }
  }

  @Test(arguments: 1...8 as ClosedRange<UInt64>) func everyoneIsToldWhatConcernsIt(seed: UInt64) throws {
    var trial = Trial(seed: seed)
    for step in 0..<3000 {
      // At least once, whatever is drawn.
      if step == 1500 { trial.mustJump = true }
      switch trial.generator.below(10) {
      case 0...3: trial.change()
      case 4: if trial.generator.chance(15) { try trial.come() } else { trial.leave() }
      case 5...6: trial.advance()
      default: trial.read()
      }
    }
    var work = 1_000_000
    let isFinished = trial.watchers.advance(to: trial.machine.view, work: &work)
    #expect(isFinished)
    while let id = trial.watchers.nextReady() { trial.inHand.append(id) }
    for id in trial.inHand { while !trial.read(id, bytes: 50, work: 20) {} }
    #expect(trial.watchers.progress(of: trial.ids) == trial.machine.view.revision)
    trial.check()
    #expect(trial.told.values.contains { $0.events.count > 50 })
    #expect(trial.cancelled > 0 && trial.jumps > 0, "\(trial.cancelled) \(trial.jumps)")
  }
}
