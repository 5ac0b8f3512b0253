import Testing

@testable import KeyValue

/// A watch lasts as long as the right to it.
@Suite struct AccessWatchingTests {
  private static func request(_ start: String, _ end: String? = nil, for subject: Subject? = .user("anna")) -> WatchRequest {
    WatchRequest(range: KeyRange(start, end), subject: subject)
  }

  private static func guarded() -> KeyValueMachine {
    KeyValueMachine.guarded("anna", "bert", roles: ["anna": [.read("a", "c")], "bert": [.read("b")]])
  }

  private static func isDenied(_ answer: WatchAnswer?) -> Bool { if case .denied(.permissionDenied)? = answer { true } else { false } }

  private static func count(_ answer: WatchAnswer?) -> Int? { if case .events(let events, _, _)? = answer { events.count } else { nil } }

  private static func advance(_ watchers: inout Watchers, _ machine: KeyValueMachine) {
    var work = 1_000_000
    #expect(watchers.advance(to: machine.view, work: &work))
  }

  private static func read(_ watchers: inout Watchers, _ id: Watchers.ID) -> WatchAnswer? {
    var work = 1000
    return watchers.read(id, bytes: 1000, work: &work)
  }

  @Test func theWholeRangeMustBeReadable() {
    var watchers = Watchers(Self.guarded().view)
    func error(_ request: WatchRequest) -> WatchError? {
      do throws(WatchError) { _ = try watchers.add(request) } catch { return error }
      return nil
    }
    #expect(error(Self.request("a")) == nil && error(Self.request("a", "c")) == nil && error(Self.request("b", "bz")) == nil)
    for (start, end) in [("a", "c\0"), ("a", "\0"), ("b", "d"), ("0", "b"), ("c", nil)] {
      #expect(error(Self.request(start, end)) == .access(.permissionDenied))
    }
    #expect(error(Self.request("a", for: .nobody)) == .access(.userNameEmpty))
    #expect(error(Self.request("x", "\0", for: .operator)) == nil && error(Self.request("x", "\0", for: nil)) == nil)
    #expect(watchers.count == 5)
  }

  /// Without an event.
  @Test func endsWithTheRight() throws {
    var machine = Self.guarded()
    var watchers = Watchers(machine.view)
    let anna = try watchers.add(Self.request("a", "c")).id
    let bert = try watchers.add(Self.request("b", for: .user("bert"))).id
    let trusted = try watchers.add(Self.request("a", "c", for: nil)).id
    machine.change(.revokePermission(KeyRange("a", "c"), fromRole: "anna"), .grantPermission(.read("a", "b\0"), toRole: "anna"))
    Self.advance(&watchers, machine)
    #expect(watchers.nextReady() == anna && watchers.nextReady() == nil)
    #expect(Self.isDenied(Self.read(&watchers, anna)))
    #expect(Self.read(&watchers, anna) == nil && watchers.count == 2)
    machine.perform(.put("b"))
    Self.advance(&watchers, machine)
    #expect(Self.count(Self.read(&watchers, bert)) == 1 && Self.count(Self.read(&watchers, trusted)) == 1)
    machine.change(.deleteUser("bert"))
    Self.advance(&watchers, machine)
    #expect(Self.isDenied(Self.read(&watchers, bert)))
  }

  /// Who is behind is told nothing more either, though it happened before.
  @Test func whatIsBehindIsNotTold() throws {
    var machine = Self.guarded()
    for _ in 0..<5 { machine.perform(.put("a", "1")) }
    var watchers = Watchers(machine.view)
    var request = Self.request("a", "c")
    request.startRevision = 2
    let id = try watchers.add(request).id
    var work = 2
    #expect(Self.count(watchers.read(id, bytes: 1, work: &work)) == 1)
    let reader = try #require(watchers.reader(of: id))
    machine.change(.revokeRole("anna", fromUser: "anna"))
    #expect(throws: KeyValueError.access(.permissionDenied)) { try reader.read(machine.view, bytes: 1000, work: &work) }
    Self.advance(&watchers, machine)
    #expect(Self.isDenied(Self.read(&watchers, id)))
  }

  /// Turning it on is a change of rights, though it is none of the revision.
  @Test func endsWhenAuthenticationIsTurnedOn() throws {
    var machine = Self.guarded()
    machine.change(.disable)
    var watchers = Watchers(machine.view)
    let nobody = try watchers.add(Self.request("a", "c", for: .nobody)).id
    let anna = try watchers.add(Self.request("a", "c")).id
    machine.change(.enable)
    Self.advance(&watchers, machine)
    #expect(watchers.nextReady() == nobody && watchers.nextReady() == nil)
    guard case .denied(.userNameEmpty)? = Self.read(&watchers, nobody) else {
      Issue.record("not denied")
      return
    }
    #expect(watchers.progress(of: anna) == 1)
  }

  /// A right that was given a moment ago counts, though the registry has not seen it.
  @Test func aNewerViewOpensAWatch() throws {
    var machine = Self.guarded()
    var watchers = Watchers(machine.view)
    let old = machine.view
    machine.change(.grantRole("anna", toUser: "bert"))
    #expect(throws: WatchError.access(.permissionDenied)) { try watchers.add(Self.request("a", for: .user("bert"))) }
    let id = try watchers.add(Self.request("a", for: .user("bert")), in: machine.view).id
    // What the registry has is older, and was looked at already.
    #expect(Self.count(Self.read(&watchers, id)) == 0)
    var work = 100
    _ = watchers.advance(to: old, work: &work)
    #expect(Self.count(Self.read(&watchers, id)) == 0)
    machine.change(.revokeRole("anna", fromUser: "bert"))
    #expect(throws: WatchError.access(.permissionDenied)) { try watchers.add(Self.request("a", for: .user("bert")), in: machine.view) }
    Self.advance(&watchers, machine)
    #expect(Self.isDenied(Self.read(&watchers, id)))
  }

  /// All are looked at once, in bounded steps, and only when rights changed.
  @Test func lookingAgainIsBounded() throws {
    var machine = Self.guarded()
    var watchers = Watchers(machine.view)
    let ids = try (0..<100).map { _ in try watchers.add(Self.request("a", "c")).id }
    func advance(_ allowed: Int) -> (isFinished: Bool, used: Int) {
      var work = allowed
      return (watchers.advance(to: machine.view, work: &work), allowed - work)
    }
    #expect(advance(1000) == (true, 0))
    machine.change(.revokeRole("anna", fromUser: "anna"))
    #expect(advance(60) == (false, 60))
    // Once more while it is under way: it begins anew.
    machine.change(.addRole("other"))
    #expect(advance(60) == (false, 60))
    #expect(advance(60) == (true, 40))
    #expect(advance(60) == (true, 0))
    var ready: [Watchers.ID] = []
    while let id = watchers.nextReady() { ready.append(id) }
    #expect(ready.sorted() == ids.sorted())
    #expect(ids.allSatisfy { Self.isDenied(Self.read(&watchers, $0)) })
    #expect(watchers.count == 0)
  }
}
