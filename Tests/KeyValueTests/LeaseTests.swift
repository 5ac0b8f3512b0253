import Replica
import Testing

@testable import KeyValue

/// Leases as part of the replicated state.
@Suite struct LeaseTests {
  private static func response(_ output: KeyValueMachine.Output) -> OperationResult? { try? output.get().result }

  private static func lease(_ id: LeaseID, _ machine: KeyValueMachine) -> LeaseResponse? {
    guard case .lease(let lease) = response(machine.view.answer(.lease(id))) else { return nil }
    return lease
  }

  private static func keys(_ id: LeaseID, _ machine: KeyValueMachine) -> [Key]? { lease(id, machine)?.keys }

  @Test func isGrantedListedAndRevoked() {
    var machine = KeyValueMachine()
    for id in [300, -5, 2, .max, .min] as [LeaseID] {
      #expect(machine.perform(.grant(id)) == .success(Response(revision: 1, result: .leaseGranted(id, timeToLive: 10))))
    }
    #expect(Self.response(machine.view.answer(.leases)) == .leases([.min, -5, 2, 300, .max]))
    #expect(machine.perform(.grant(2)) == .failure(.leaseExists))
    #expect(machine.perform(.leaseRevoke(2)) == .success(Response(revision: 1, result: .leaseRevoked(keys: 0))))
    #expect(machine.perform(.leaseRevoke(2)) == .failure(.leaseNotFound))
    #expect(machine.perform(.leaseExpiry(2, grant: 1)) == .success(Response(revision: 1, result: .leaseRevoked(keys: 0))))
    #expect(Self.response(machine.view.answer(.leases)) == .leases([.min, -5, 300, .max]))
    #expect(Self.response(machine.view.answer(.lease(2))) == .lease(nil))
    #expect(machine.view.leaseCount == 4)
  }

  @Test func aShortTimeIsRaisedAndALongOneRefused() {
    var machine = KeyValueMachine()
    for (id, seconds, granted) in [(1, 0, 2), (2, -9, 2), (3, 1, 2), (4, 3, 3), (5, 9_000_000_000, 9_000_000_000)]
      as [(Int64, Int64, Int64)]
    {
      #expect(Self.response(machine.perform(.grant(id, seconds: seconds))) == .leaseGranted(id, timeToLive: granted))
      #expect(Self.lease(id, machine)?.timeToLive == granted)
    }
    #expect(machine.perform(.grant(6, seconds: 9_000_000_001)) == .failure(.leaseTTLTooLarge))
    #expect(machine.perform(.grant(0)) == .failure(.leaseNotFound))
    #expect(machine.view.leaseCount == 5)
  }

  @Test func keysGoTogetherInOrderInOneRevision() throws {
    var machine = KeyValueMachine(
      .grant(7), .grant(8), .put("c", lease: 7), .put("a", lease: 7), .put("b", lease: 8), .put("d", lease: 7), .put("e"))
    #expect(Self.keys(7, machine) == ["a", "c", "d"].map(k))
    let before = machine.view
    #expect(machine.perform(.leaseRevoke(7)) == .success(Response(revision: 7, result: .leaseRevoked(keys: 3))))
    #expect(machine.view.pairs().map(\.key) == ["b", "e"].map(k))
    let events = Array(machine.view.events(from: 7))
    #expect(events.map(\.key) == ["a", "c", "d"].map(k))
    #expect(events.allSatisfy { $0.isDeletion && $0.modRevision == 7 && $0.previous?.lease == 7 })
    #expect(Self.lease(7, machine) == nil)
    #expect(Self.keys(8, machine) == [k("b")])
    // The same when it expires; and a view of before stays as it was.
    #expect(machine.perform(.leaseExpiry(8, grant: 1)) == .success(Response(revision: 8, result: .leaseRevoked(keys: 1))))
    #expect(try before.response(RangeRequest(range: .all)).pairs.map(\.lease) == [7, 8, 7, 7, 0])
    #expect(before.timeToLive(of: 7) == 10)
  }

  @Test func aKeyIsWithItsLastLeaseAlone() {
    var machine = KeyValueMachine(.grant(1), .grant(2), .put("a", lease: 1), .put("b", lease: 1), .put("a", "x", lease: 2))
    #expect(Self.keys(1, machine) == [k("b")])
    #expect(Self.keys(2, machine) == [k("a")])
    machine.perform(.put(PutRequest(key: k("a"), value: k("y"), ignoreLease: true)))
    machine.perform(.put("b", ignoreValue: true))
    #expect(Self.keys(1, machine) == [])
    #expect(Self.keys(2, machine) == [k("a")])
    #expect(machine.view.get(k("a"))?.lease == 2)
    machine.perform(.delete("a"))
    #expect(Self.keys(2, machine) == [])
    machine.perform(.put("a"))
    for id in [1, 2] as [LeaseID] { #expect(Self.response(machine.perform(.leaseRevoke(id))) == .leaseRevoked(keys: 0)) }
    #expect(machine.view.count == 2)
    // Keys of which one begins another, and leases of neighbouring numbers.
    machine = KeyValueMachine(.grant(1), .grant(2), .put("a", lease: 1), .put("a\0", lease: 2), .put("ab", lease: 1))
    #expect(Self.response(machine.perform(.leaseRevoke(1))) == .leaseRevoked(keys: 2))
    #expect(machine.view.pairs().map(\.key) == [k("a\0")])
  }

  @Test func aPutNeedsItsLease() {
    var machine = KeyValueMachine(.put("a", "1"), .grant(5))
    machine.perform(.leaseRevoke(5))
    let digest = machine.view.digest
    // Before what is not in the store, of a put alone; after it in a transaction.
    #expect(machine.perform(.put("none", ignoreValue: true, lease: 5)) == .failure(.leaseNotFound))
    #expect(machine.perform(.transaction(then: [.put("none", ignoreValue: true, lease: 5)])) == .failure(.keyNotFound))
    #expect(machine.perform(.transaction(then: [.put("b"), .transaction(then: [.put("a", "2", lease: 5)])])) == .failure(.leaseNotFound))
    #expect(machine.view.digest == digest)
    let other = machine.perform(.transaction(then: [.get("a")], else: [.put("a", lease: 5)]))
    #expect((try? other.get()) != nil)
    machine.perform(.grant(5))
    #expect((try? machine.perform(.transaction(then: [.put("b"), .transaction(then: [.put("a", "2", lease: 5)])])).get()) != nil)
    #expect(Self.keys(5, machine) == [k("a")])
  }

  @Test func leasesCountAndNeedRoom() {
    let version = 96
    var machine = KeyValueMachine(.grant(1))
    #expect(machine.view.size == 192)
    machine.perform(.put("abc", lease: 1))
    #expect(machine.view.size == 192 + 3 + version + 32 + 8 + 3 + version)
    machine.perform(.settings(StoreSettings(quota: Int64(machine.view.size) + 191)))
    #expect(machine.perform(.grant(2)) == .failure(.noSpace))
    #expect(machine.view.isOutOfSpace)
    #expect(machine.perform(.put("b")) == .failure(.noSpace))
    // A put with a lease needs room for being with it.
    let needed = (1 + version + 32) + (8 + 1 + version)
    let tooLittle = Int64(machine.view.size + needed - 1)
    machine.perform(.settings(StoreSettings(quota: tooLittle)))
    machine.perform(.settings(StoreSettings(quota: machine.view.settings.quota * 2)))
    #expect(!machine.view.isOutOfSpace)
    machine.perform(.settings(StoreSettings(quota: tooLittle)))
    #expect(machine.perform(.put("b", lease: 1)) == .failure(.noSpace))
    // What ends a lease makes room, and is never refused.
    #expect(Self.response(machine.perform(.leaseRevoke(1))) == .leaseRevoked(keys: 1))
    _ = machine.compact(at: 3)
    #expect(machine.view.size == 32 + 3 + version + 3 + version)
    #expect(machine.view.pastSize == machine.view.size)
  }

  @Test func theirNumberIsBounded() {
    var machine = KeyValueMachine(.grant(2))
    var builder = OrderedTree.Builder()
    for id in 1...Limits.leases {
      let key = LeaseTable.key(of: LeaseID(id) * 2)
      _ = builder.append(Item(key: key[...], value: [2, 0, 0, 0, 0, 0, 0, 0], createRevision: 0, modRevision: 0, version: 1))
    }
    machine.state.leases = LeaseTable(granted: builder.finish())
    #expect(machine.perform(.grant(1)) == .failure(.tooManyLeases))
    #expect(machine.perform(.grant(2)) == .failure(.leaseExists))
    machine.perform(.leaseRevoke(4))
    #expect(Self.response(machine.perform(.grant(1))) == .leaseGranted(1, timeToLive: 10))
  }

  /// What a client is refused, the leader may do.
  @Test func expiryIsTheLeadersAlone() {
    #expect(throws: KeyValueError.leaderOnly) { try Request.leaseExpiry(1, grant: 1).validate() }
    var machine = KeyValueMachine(.grant(1))
    #expect(Self.response(machine.perform(.leaseExpiry(1, grant: 1))) == .leaseRevoked(keys: 0))
    #expect(Request.leases.isReadOnly && Request.lease(1).isReadOnly)
    for request in [.leaseExpiry(1, grant: 1), .leaseRevoke(1), .grant(1)] as [Request] { #expect(!request.isReadOnly) }
  }

  /// The number was granted again between the leader's decision and its application.
  @Test func anExpiryEndsTheGrantThatItNames() throws {
    var machine = KeyValueMachine()
    machine.perform(.grant(7), at: 5)
    machine.perform(.leaseRevoke(7), at: 6)
    machine.perform(.grant(7), at: 8)
    machine.perform(.put("a", lease: 7), at: 9)
    let digest = machine.view.digest
    for index in [5, 9] as [UInt64] {
      #expect(machine.perform(.leaseExpiry(7, grant: index), at: 10) == .success(Response(revision: 2, result: .leaseRevoked(keys: 0))))
    }
    #expect(machine.view.digest == digest)
    #expect(Self.keys(7, machine) == [k("a")])
    // Nodes that were restored know it as well, and older releases named the number alone.
    var restored = try KeyValueMachine(restoring: machine.view.blocks)
    #expect(Self.response(restored.perform(.leaseExpiry(7, grant: 5), at: 11)) == .leaseRevoked(keys: 0))
    #expect(Self.response(restored.perform(.leaseExpiry(7, grant: 0), at: 12)) == .leaseRevoked(keys: 1))
    #expect(Self.response(machine.perform(.leaseExpiry(7, grant: 8), at: 11)) == .leaseRevoked(keys: 1))
    // Which grant it is belongs to the state.
    machine.perform(.grant(7), at: 13)
    restored.perform(.grant(7), at: 14)
    #expect(machine.view.digest != restored.view.digest)
  }

  /// Keys of others between them, and a long run: all go, and nothing else.
  @Test(arguments: 1...6 as ClosedRange<UInt64>) func keysGoWhereverTheyStand(seed: UInt64) {
    var generator = Generator(seed: seed)
    var machine = KeyValueMachine(.grant(1), .grant(2))
    let inLease = [0, 5, 50, 95, 100, 100][Int(seed) - 1]
    for number in 0..<1000 {
      let key = generator.bytes(count: 2) + (number % 7 == 0 ? generator.bytes(upTo: 3) : [])
      let lease: LeaseID = generator.chance(inLease) ? 1 : generator.chance(50) ? 2 : 0
      machine.perform(.put(PutRequest(key: key, value: [UInt8(seed)], lease: lease)))
    }
    // Some keys have tombstones already, beside those that come.
    machine.perform(.delete(DeleteRequest(range: KeyRange(start: [40], end: [80]))))
    let before = machine.view.pairs().map { $0 }
    let going = before.filter { $0.lease == 1 }
    #expect(Self.response(machine.perform(.leaseRevoke(1))) == .leaseRevoked(keys: Int64(going.count)))
    #expect(machine.view.pairs().map { $0 } == before.filter { $0.lease != 1 })
    #expect(machine.view.events(from: machine.view.revision).map(\.key) == going.map(\.key) || going.isEmpty)
    let past = try? machine.view.response(RangeRequest(range: .all, revision: machine.view.revision - (going.isEmpty ? 0 : 1)))
    #expect(past?.pairs == before)
    #expect((try? KeyValueMachine(restoring: machine.view.blocks))?.view.digest == machine.view.digest)
  }

  @Test func keysComeInPieces() {
    var machine = KeyValueMachine(.grant(1), .grant(2), .put("a", lease: 2), .put("z", lease: 2))
    for number in 10..<35 { machine.perform(.put("k\(number)", lease: 1)) }
    var (pieces, all): ([Int], [Key]) = ([], [])
    var next: Key? = []
    while let start = next {
      let piece = machine.view.keys(of: 1, from: start, limit: 10)
      (pieces, all, next) = (pieces + [piece.keys.count], all + piece.keys, piece.next)
    }
    #expect(pieces == [10, 10, 5])
    #expect(all == Self.keys(1, machine))
    // From where none stands, exactly to the end, behind the end, and of what is not there.
    #expect(machine.view.keys(of: 1, from: k("k2"), limit: 1) == ([k("k20")], k("k21")))
    #expect(machine.view.keys(of: 1, from: k("k30"), limit: 5).next == nil)
    #expect(machine.view.keys(of: 1, from: k("x"), limit: 5) == ([], nil))
    #expect(machine.view.keys(of: 1, from: k("\0"), limit: 1).keys == [k("k10")])
    #expect(machine.view.keys(of: 3, limit: 5) == ([], nil))
  }

  @Test func longAnswersComeInParts() {
    var machine = KeyValueMachine(.grant(1))
    for number in 2..<300 as Range<LeaseID> { machine.perform(.grant(number)) }
    for number in 0..<300 { machine.perform(.put("k\(number)", lease: 1)) }
    for request in [.leases, .lease(1)] as [Request] {
      guard let answer = try? machine.view.answer(request).get() else { return #expect(Bool(false)) }
      var reader = ResponseReader(answer)
      var (parts, pauses, work) = (0, 0, 7)
      reading: while true {
        switch reader.next(&work) {
        case .part: parts += 1
        case .pause:
          pauses += 1
          work = 7
        case .end: break reading
        }
      }
      #expect(parts > 300 && pauses > 30)
      #expect(Response(revision: answer.revision, result: answer.result) == answer)
    }
  }
}
