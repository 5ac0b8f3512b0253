import ByteCoding
import Testing

@testable import Raft

/// What searches hold to be one state must be one.
@Suite struct DigestTests {
  static let names = DigestNames(node: { $0.rawValue }, payload: { UInt64($0.payload.first ?? 0) })

  static func digest(_ raft: RaftCore, now: Instant, names: DigestNames = names) -> Digest {
    var writer = DigestWriter(names)
    raft.write(into: &writer, now: now)
    return writer.digest
  }

  static func leader() throws -> Bench {
    var bench = try Bench(terms: [1, 1])
    bench.becomeLeader()
    bench.step(.propose([[7]]), .read(1))
    return bench
  }

  // MARK: Nothing is forgotten

  /// A stored property stands here once `RaftCore+Digest` writes it, or has a reason not to.
  static let properties: [String: Set<String>] = [
    "RaftCore": [
      "id", "role", "leader", "commitIndex", "hardState", "termAtStart", "log", "configurations", "persistence", "verifiedIndex",
      "acknowledgedIndex", "lastLeaderContact", "tally", "forwarded", "leadership", "transfer", "change", "wasToldToLeave",
      "nextHandOver",
      // Not written: the same in all states that are compared; they decide when a time-out comes, not what it does.
      "settings", "random", "electionDeadline",
    ],
    // `bytes` follows from the entries; what was forgotten matters to the owner only.
    "MemoryLog": ["start", "kept", "entries", "bytes", "forgottenBytes", "marks"],
    "ConfigurationHistory": ["items"],
    "Item": ["index", "configuration"],
    "Configuration": ["voters", "outgoing", "learners", "removed", "voterIDs", "outgoingIDs"],
    // Names and addresses are for people and transports.
    "Member": ["id", "name", "peerAddress", "clientAddress"],
    "Persistence": [
      "durableIndex", "durableSequence", "hardStateSequence", "nextSequence", "hardStateIsDirty", "firstDirtyIndex", "reset", "dirtyBytes",
      "underWay", "bytesUnderWay",
    ],
    "VoteTally": ["granted", "refused"],
    "ForwardingLedger": ["streams"],
    "Stream": ["peer", "number", "sequence"],
    "Leadership": [
      "peers", "termStart", "heartbeatDeadline", "progressAt", "round", "wantsRound", "reads", "uncommittedBytes", "allowance", "catchUps",
      "isSettled",
    ],
    // `inflightBytes` follows from `inflight`, and `bytesUnderWay` from `underWay`.
    "Progress": [
      "peer", "state", "match", "next", "awaitsProbe", "probeRound", "probedAt", "probeIsRepeated", "lastSent", "askedAt",
      "awaitedRead", "sentCommit", "answeredRound", "lastContact", "hasAnswered", "inflight", "inflightBytes",
    ],
    "Transfer": ["request", "target", "term", "deadline", "toldAt"],
    "PendingRead": ["id", "origin", "index", "round"],
    "HardState": ["term", "vote"],
    "Message": ["from", "to", "term", "body"],
    // `record` is the header again, and the payload.
    "Entry": ["index", "term", "kind", "record"],
  ]

  @Test func everyPropertyIsWrittenOrLeftOutForAReason() throws {
    var bench = try Self.leader()
    let message = Message(from: Bench.b, to: Bench.a, term: 2, body: .proposals(stream: 1, sequence: 1, [[1]]))
    bench.step(.message(message))
    let raft = bench.raft
    let stream = try #require(raft.forwarded.streams.first)
    let peer = try #require(raft.leadership.peers.first)
    let entry = try #require(raft.keptEntries.last)
    let read = PendingRead(id: 1, origin: nil, index: 1, round: 1)
    let transfer = Transfer(request: 1, target: Bench.b, term: 2, deadline: .zero)
    let values: [Any] = [
      raft, raft.log, raft.configurations, raft.configurations.newest, raft.configuration, Bench.member(Bench.a), raft.persistence,
      raft.tally, raft.forwarded, stream, raft.leadership, peer, read, raft.hardState, message, entry, transfer,
    ]
    #expect(values.count == Self.properties.count)
    for value in values {
      let mirror = Mirror(reflecting: value)
      let type = "\(mirror.subjectType)"
      #expect(Set(mirror.children.compactMap(\.label)) == Self.properties[type], "\(type) has changed: teach RaftCore+Digest what is new")
    }
  }

  @Test func everyChangeShows() throws {
    let bench = try Self.leader()
    let changes: [(inout RaftCore) -> Void] = [
      { $0.role = .candidate }, { $0.leader = nil }, { $0.commitIndex += 1 }, { $0.hardState.term += 1 }, { $0.hardState.vote = nil },
      { $0.log.append([Entry(index: 9, term: 2, kind: .command, payload: [1])]) },
      { $0.log.append([Entry(index: 9, term: 2, kind: .command, payload: [2])]) }, { $0.log.truncate(from: 3) },
      { $0.log.compact(through: 1) }, { $0.configurations.append(Configuration(voters: []), at: 3) },
      { $0.persistence.hardStateChanged() }, { $0.persistence.logChanged(from: 2) },
      { $0.persistence.logReset(to: LogPosition(index: 9, term: 1)) }, { $0.verifiedIndex += 1 }, { $0.acknowledgedIndex += 1 },
      { $0.tally.record(Bench.c, granted: true) }, { $0.tally.record(Bench.c, granted: false) },
      { _ = $0.forwarded.isNew(stream: 1, sequence: 1, from: Bench.b) }, { $0.leadership.termStart += 1 },
      { $0.leadership.heartbeatDeadline = .zero }, { $0.leadership.round += 1 }, { $0.leadership.wantsRound.toggle() },
      { $0.leadership.reads = [] }, { $0.leadership.uncommittedBytes += 1 }, { $0.leadership.peers.removeLast() },
      { $0.leadership.peers[0].sentCommit += 1 }, { _ = $0.leadership.peers[0].accepted(through: 2) },
      { _ = $0.leadership.peers[1].accepted(through: 2) }, { $0.leadership.peers[0].needsSnapshot(through: 1) },
      { $0.leadership.peers[0].sent([], after: .zero, round: 1, now: .zero) },
      { $0.leadership.peers[0].answered(round: 9, now: .zero, Settings()) }, { $0.persistence.logChanged(from: 9, bytes: 1) },
      { $0.transfer = Transfer(request: 1, target: Bench.b, term: 2, deadline: .never) },
      { $0.transfer = Transfer(request: nil, target: Bench.b, term: 2, deadline: .never) },
      { $0.transfer = Transfer(request: 1, target: Bench.c, term: 2, deadline: .never) },
      { $0.transfer = Transfer(request: 1, target: Bench.b, term: 3, deadline: .never) },
      { $0.transfer = Transfer(request: 1, target: Bench.b, term: 2, deadline: .zero) },
      { $0.transfer = Transfer(request: 1, target: Bench.b, term: 2, deadline: .never, toldAt: $0.leadership.heartbeatDeadline) },
    ]
    var seen = [Self.digest(bench.raft, now: bench.now)]
    for (number, change) in changes.enumerated() {
      var raft = bench.raft
      change(&raft)
      let digest = Self.digest(raft, now: bench.now)
      #expect(!seen.contains(digest), "change \(number) does not show")
      seen.append(digest)
    }
  }

  @Test func whatIsRecentShows() throws {
    let leader = try Self.leader()
    let later = leader.now + 2 * leader.raft.settings.electionTimeout
    #expect(Self.digest(leader.raft, now: leader.now) != Self.digest(leader.raft, now: later))
    var follower = try Bench()
    follower.follow()
    #expect(Self.digest(follower.raft, now: follower.now) != Self.digest(follower.raft, now: later))
  }

  // MARK: What makes no difference

  @Test func timeAndTheNumbersOfWritesMakeNoDifference() throws {
    var early = try Bench()
    early.follow()
    var late = try Bench()
    late.now = late.now + .milliseconds(200)
    late.follow()
    // Another write, and another number of the next one.
    #expect(Self.digest(early.raft, now: early.now) == Self.digest(late.raft, now: late.now))
    early.receive(.append(previous: LogPosition(index: 1, term: 1), entries: [], commit: 1))
    #expect(Self.digest(early.raft, now: early.now) != Self.digest(late.raft, now: late.now))
  }

  @Test func namesMakeNoDifferenceUnderOtherNames() throws {
    var one = try Bench()
    one.receive(.voteRequest(last: LogPosition(index: 1, term: 1)), from: Bench.b, term: 2)
    var other = try Bench()
    other.receive(.voteRequest(last: LogPosition(index: 1, term: 1)), from: Bench.c, term: 2)
    let swapped = DigestNames(node: { $0 == Bench.b ? 3 : $0 == Bench.c ? 2 : $0.rawValue }, payload: Self.names.payload)
    #expect(Self.digest(one.raft, now: one.now) != Self.digest(other.raft, now: other.now))
    #expect(Self.digest(one.raft, now: one.now) == Self.digest(other.raft, now: other.now, names: swapped))
  }

  @Test func messagesDifferInAllTheySay() {
    let entry = Entry(index: 2, term: 1, kind: .command, payload: [1])
    let position = LogPosition(index: 1, term: 1)
    let descriptor = SnapshotDescriptor(position: position, configuration: Bench.configuration, configurationIndex: 1)
    let bodies: [Message.Body] = [
      .preVoteRequest(last: position), .preVoteResponse(granted: false), .preVoteResponse(granted: true), .voteRequest(last: position),
      .voteResponse(granted: false), .voteResponse(granted: true), .append(previous: position, entries: [], commit: 1),
      .append(previous: position, entries: [entry], commit: 1), .append(previous: position, entries: [entry], commit: 2),
      .appendAccepted(match: 1), .appendAccepted(match: 2), .appendRejected(previous: 1, hint: position),
      .appendRejected(previous: 2, hint: position), .heartbeat(round: 1, commit: 1, confirmed: 2),
      .heartbeat(round: 1, commit: 2, confirmed: 1), .heartbeatResponse(round: 1, confirmed: 1, received: 1, match: 2),
      .heartbeatResponse(round: 1, confirmed: 1, received: 2, match: 1), .commit(1), .commit(2),
      .snapshotBlock(descriptor, number: 1, block: [1], last: true),
      .snapshotBlock(descriptor, number: 1, block: [1], last: true, file: SnapshotFingerprint(checksum: 1, blocks: 0, bytes: 0)),
      .snapshotBlock(descriptor, number: 1, block: [1], last: false),
      .snapshotProgress(position, next: 1), .snapshotProgress(position, next: 2), .readRequest(1), .readResponse(1, index: 1),
      .readResponse(1, index: 2), .proposals(stream: 1, sequence: 1, [[1]]), .proposals(stream: 1, sequence: 1, [[2]]),
      .proposalsRefused(stream: 1, sequence: 1), .outdated, .timeoutNow, .removed,
      .transferVoteRequest(last: position),
    ]
    var seen: [Digest] = []
    for body in bodies {
      for (from, term) in [(Bench.a, 1), (Bench.b, 1), (Bench.a, 2)] as [(NodeID, Term)] {
        var writer = DigestWriter(Self.names)
        Message(from: from, to: Bench.c, term: term, body: body).write(into: &writer)
        #expect(!seen.contains(writer.digest), "\(body) is like another message")
        seen.append(writer.digest)
      }
    }
  }
}
