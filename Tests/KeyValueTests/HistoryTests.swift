import Testing

@testable import KeyValue

/// What the store was, read at any revision that is kept.
@Suite struct HistoryTests {
  private static func value(_ machine: KeyValueMachine, _ key: String, at revision: Revision) -> String? {
    guard case .success(let answer) = machine.view.answer(.get(key, revision: revision)), case .range(let range) = answer.result
    else { return "refused" }
    return range.pairs.first.map { String(decoding: $0.value, as: UTF8.self) }
  }

  @Test func aKeyIsWhatItWas() {
    var machine = KeyValueMachine(.put("a", "1"), .put("b", "x"), .put("a", "2"), .delete("a"), .put("a", "3"), .delete("b"))
    #expect((1...7).map { Self.value(machine, "a", at: $0) } == [nil, "1", "1", "2", nil, "3", "3"])
    #expect((1...7).map { Self.value(machine, "b", at: $0) } == [nil, nil, "x", "x", "x", "x", nil])
    // A key made anew begins anew.
    let pairs = machine.view.answer(.get("a", revision: 6)).map { $0.result }
    #expect(pairs == .success(.range(RangeResponse(pairs: [KeyValuePair("a", "3", create: 6, mod: 6, version: 1)], count: 1))))
    #expect(throws: Never.self) { try machine.compact(at: 4).get() }
    #expect((3...7).map { Self.value(machine, "a", at: $0) } == ["refused", "2", nil, "3", "3"])
    #expect(machine.view.answer(.get("a", revision: 3)) == .failure(.compacted))
    #expect(machine.view.answer(.get("a", revision: 8)) == .failure(.futureRevision))
  }

  /// Every version of a key with many is found in few steps: a walk from the newest would take all of them.
  @Test func aKeyWithManyVersionsIsReadInFewSteps() throws {
    var machine = KeyValueMachine()
    for number in 0..<5000 { machine.perform(number % 100 == 99 ? .delete("hot") : .put("hot", "\(number)")) }
    for number in stride(from: 0, to: 5000, by: 7) {
      let expected = number % 100 == 99 ? nil : "\(number)"
      #expect(Self.value(machine, "hot", at: Revision(number) + 2) == expected)
    }
    // The links lead back by ever larger steps.
    let changes = machine.view.changes
    let newest = try #require(machine.view.deleted.item(for: k("hot")[...]))
    for boundary in [1, 2, 17, 1000, 2500, 4095, 4999] {
      #expect(changes.steps(from: newest, to: boundary) < 170)
    }
  }

  @Test func rangesOfThePastCountAndCutAsThoseOfThePresent() throws {
    var generator = Generator(seed: 61)
    var machine = KeyValueMachine()
    var states: [(Revision, [KeyValuePair])] = []
    for _ in 0..<400 {
      machine.perform(generator.request())
      states.append((machine.view.revision, Array(machine.view.pairs())))
    }
    for (revision, pairs) in states {
      let range = RangeRequest(range: .all, revision: revision)
      #expect(try machine.view.response(range) == RangeResponse(pairs: pairs, count: Int64(pairs.count)))
      var cut = range
      cut.limit = 3
      cut.order = .descending
      let response = try machine.view.response(cut)
      #expect(response.pairs == Array(pairs.reversed().prefix(3)))
      #expect(response.more == (pairs.count > 3))
      #expect(response.count == Int64(pairs.count))
      cut.countOnly = true
      #expect(try machine.view.response(cut) == RangeResponse(count: Int64(pairs.count)))
    }
  }

  @Test func aViewKeepsItsPast() throws {
    var machine = KeyValueMachine()
    for number in 0..<100 { machine.perform(.put("a", "\(number)")) }
    let view = machine.view
    let digest = view.digest
    try _ = machine.compact(at: 101).get()
    for number in 0..<100 { machine.perform(.put("a", "\(number)")) }
    #expect(machine.view.changes.start > 0)
    #expect(view.digest == digest)
    #expect(try view.response(RangeRequest(range: .all, revision: 2)).pairs.first?.value == k("0"))
  }

  @Test func eventsTellEveryChangeInItsOrder() throws {
    var machine = KeyValueMachine(
      .put("a", "1"), .transaction(then: [.put("b", "2"), .delete("a"), .put("c", "3")]), .put("b", "4"), .delete("a", "z"))
    func told(from revision: Revision) -> [String] {
      machine.view.events(from: revision).map { event in
        let value = event.pair.map { String(decoding: $0.value, as: UTF8.self) } ?? "-"
        let previous = event.previous.map { String(decoding: $0.value, as: UTF8.self) } ?? "-"
        return "\(event.modRevision) \(String(decoding: event.key, as: UTF8.self)) \(value) \(previous)"
      }
    }
    let all = ["2 a 1 -", "3 b 2 -", "3 a - 1", "3 c 3 -", "4 b 4 2", "5 b - 4", "5 c - 3"]
    #expect(told(from: 0) == all)
    #expect(told(from: 3) == Array(all[1...]))
    #expect(told(from: 6).isEmpty)
    try _ = machine.compact(at: 4).get()
    // What was before the oldest revision that can be read is not told.
    #expect(told(from: 0) == ["4 b 4 -", "5 b - 4", "5 c - 3"])
  }

  @Test func keepsTheValueAndTheLease() throws {
    var machine = KeyValueMachine(.put("a", "1"))
    #expect(machine.perform(.put(PutRequest(key: k("b"), value: k("x"), ignoreLease: true))) == .failure(.keyNotFound))
    #expect(machine.perform(.put(PutRequest(key: k("a"), value: k("x"), lease: 1, ignoreLease: true))) == .failure(.leaseProvided))
    machine.perform(.put(PutRequest(key: k("a"), value: k("2"), ignoreLease: true)))
    machine.perform(.put(PutRequest(key: k("a"), value: [], ignoreValue: true, ignoreLease: true)))
    #expect(machine.view.get(k("a")) == KeyValuePair("a", "2", create: 2, mod: 4, version: 3))
  }
}

extension ChangeLog {
  /// How many versions are looked at on the way from the newest to before a change.
  fileprivate func steps(from newest: Item, to boundary: Int) -> Int {
    var steps = 0
    _ = version(of: newest, before: boundary) { steps += 1 }
    return steps
  }
}

@Suite struct CompactionTests {
  @Test func refusesWhatEtcdRefuses() {
    var machine = KeyValueMachine(.put("a"), .put("b"), .put("c"))
    #expect(machine.compact(at: -1) == .failure(.compacted))
    #expect(machine.compact(at: 5) == .failure(.futureRevision))
    #expect(machine.compact(at: 3) == .success(Response(revision: 4, result: .done)))
    #expect(machine.compact(at: 3) == .failure(.compacted))
    #expect(machine.compact(at: 4) == .success(Response(revision: 4, result: .done)))
    #expect(machine.view.revision == 4)
    let error1 = machine.perform(.transaction(then: [.compaction(CompactionRequest(revision: 4))])).error
    #expect(error1 == .malformed(""))
    let inner = Request.transaction(then: [.compaction(CompactionRequest(revision: 4))])
    #expect(throws: KeyValueError.notInTransaction) { try inner.validate() }
  }

  /// However much is compacted, the command itself forgets nothing, and each one that follows a little.
  @Test func forgetsInBoundedSteps() throws {
    var machine = KeyValueMachine()
    for number in 0..<10_000 { machine.perform(number % 3 == 0 ? .delete("k\(number % 50)") : .put("k\(number % 50)", "\(number)")) }
    let end = machine.view.changes.end
    try _ = machine.compact(at: machine.view.revision).get()
    #expect(machine.view.changeCount == 1)
    var before = machine.view.changes.start
    var commands = 0
    while machine.view.compactedChangeCount >= Limits.forgottenChanges {
      machine.perform(.get("a"))
      #expect(machine.view.changes.start - before <= Limits.forgottenChanges)
      before = machine.view.changes.start
      commands += 1
    }
    #expect(commands == end / Limits.forgottenChanges - 1 || commands == end / Limits.forgottenChanges)
    #expect(machine.view.changes.start + machine.view.compactedChangeCount == machine.view.firstChange)
  }

  /// Of keys that are deleted for good nothing stays.
  @Test func tombstonesGoWithTheirDeletions() throws {
    var machine = KeyValueMachine()
    for number in 0..<200 {
      machine.perform(.put("k\(number)"))
      machine.perform(.delete("k\(number)"))
      if number % 2 == 0 { machine.perform(.put("k\(number)")) }
      if number % 4 == 0 { machine.perform(.delete("k\(number)")) }
    }
    #expect(machine.view.deleted.count == 150)
    machine.perform(.put("last"))
    try _ = machine.compact(at: machine.view.revision).get()
    for _ in 0..<100 { machine.perform(.put("last")) }
    try _ = machine.compact(at: machine.view.revision).get()
    for _ in 0..<20 { machine.perform(.get("x")) }
    #expect(machine.view.deleted.count == 0)
    #expect(machine.view.changes.end - machine.view.changes.start <= 2 * Limits.forgottenChanges)
    #expect(machine.view.count == 51)
  }
}

@Suite struct QuotaTests {
  private static let version = 96
  private static let change = 32

  @Test func sizeCountsEveryVersionThatIsKept() throws {
    var machine = KeyValueMachine(.put("a", "12"))
    #expect(machine.view.size == 3 + Self.version + Self.change)
    machine.perform(.put("a", "3456"))
    #expect(machine.view.size == 3 + 5 + 2 * (Self.version + Self.change))
    machine.perform(.delete("a"))
    // Both versions, and the tombstone.
    #expect(machine.view.size == 3 + 5 + 1 + 3 * (Self.version + Self.change))
    try _ = machine.compact(at: 4).get()
    // The deletion itself can still be told.
    #expect(machine.view.size == 5 + 1 + 2 * Self.version + Self.change)
    machine.perform(.put("b", ""))
    try _ = machine.compact(at: 5).get()
    #expect(machine.view.size == 1 + Self.version + Self.change)
  }

  @Test func refusesPutsAloneAndClearsItself() throws {
    var machine = KeyValueMachine(.settings(StoreSettings(quota: 2000)))
    var refused: Int?
    for number in 0..<20 where refused == nil {
      if machine.perform(.put("k", "\(number)")) == .failure(.noSpace) { refused = number }
    }
    #expect(refused == 15)
    #expect(machine.view.isOutOfSpace)
    #expect(machine.view.size <= 2000)
    // The smallest put, and one inside a transaction that is taken; not one in the other branch.
    let (revision, digest) = (machine.view.revision, machine.view.digest)
    #expect(machine.perform(.put("a")) == .failure(.noSpace))
    #expect(machine.perform(.transaction(then: [.transaction(then: [.put("a")])])) == .failure(.noSpace))
    #expect(machine.view.digest == digest)
    let error2 = machine.perform(.transaction(then: [.get("k")], else: [.put("a")])).error
    #expect(error2 == nil)
    let error3 = machine.perform(.delete("k")).error
    #expect(error3 == nil)
    #expect(machine.view.revision == revision + 1)
    // A little room is not enough, so that it is not raised again at once.
    try _ = machine.compact(at: 3).get()
    #expect(machine.view.isOutOfSpace)
    #expect(machine.perform(.put("a")) == .failure(.noSpace))
    try _ = machine.compact(at: machine.view.revision).get()
    #expect(!machine.view.isOutOfSpace)
    let error4 = machine.perform(.put("a")).error
    #expect(error4 == nil)
  }

  /// No further request is needed: nothing may be put, and there is no later revision at which the store could be compacted.
  @Test func onePartingDeleteAndACompactionMakeRoom() throws {
    var machine = KeyValueMachine(.grant(7), .settings(StoreSettings(quota: 20_000)))
    var number = 0
    while machine.perform(.put("key\(number)", number % 2 == 0 ? "v" : "")).error == nil { number += 1 }
    #expect(number > 50 && machine.view.isOutOfSpace)
    #expect(machine.perform(.delete("\0", "\0")).error == nil)
    let revision = machine.view.revision
    let watching = machine.view
    #expect(machine.compact(at: revision).error == nil)
    #expect(!machine.view.isOutOfSpace)
    #expect(machine.view.size == 192 && machine.view.pastSize == 0)
    // The newest revision is read as ever; what it did is not told any more, and a watcher begins after it.
    #expect(try machine.view.response(RangeRequest(range: .all, revision: revision)).count == 0)
    #expect(try watching.response(RangeRequest(range: .all, revision: revision - 1)).count == Int64(number))
    #expect(machine.view.firstEventRevision == revision + 1)
    var work = 10
    #expect(throws: KeyValueError.compacted) {
      try machine.view.events(in: .all, from: EventPosition(revision: revision), bytes: 10, work: &work)
    }
    var restored = try KeyValueMachine(restoring: machine.view.blocks)
    for _ in 0..<20 {
      #expect(restored.view.digest == machine.view.digest && restored.view.size == machine.view.size)
      #expect(machine.perform(.put("a")).error == nil)
      _ = restored.perform(.put("a"))
    }
    // With room enough the changes of the oldest revision are told as ever.
    machine.perform(.delete("a"))
    #expect(machine.compact(at: machine.view.revision).error == nil)
    #expect(machine.view.firstEventRevision == machine.view.revision)
  }

  @Test func aLargerQuotaEndsTheAlarm() {
    var machine = KeyValueMachine(.settings(StoreSettings(quota: 200)), .put("a"), .put("b"))
    #expect(machine.view.isOutOfSpace)
    machine.perform(.settings(StoreSettings(quota: 1000)))
    #expect(!machine.view.isOutOfSpace)
    let error5 = machine.perform(.put("b")).error
    #expect(error5 == nil)
    for settings in [StoreSettings(quota: 0), StoreSettings(historyAge: -1), StoreSettings(historyBytes: -1)] {
      #expect(machine.perform(.settings(settings)) == .failure(.invalidSettings))
    }
    #expect(machine.perform(.settings(StoreSettings(historyAge: 0, historyBytes: 0))).error == nil)
  }
}

extension KeyValueMachine.Output {
  /// Whatever a malformed request's text says.
  fileprivate var error: KeyValueError? {
    guard case .failure(let error) = self else { return nil }
    if case .malformed = error { return .malformed("") }
    return error
  }
}
