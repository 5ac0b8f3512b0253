import ByteCoding
import KeyValue
import Raft
import Testing

@testable import Replica

/// Whatever comes over the network: a replica refuses it in one line a second, and goes on.
@Suite struct HostileFrameTests {
  func refusals(_ bench: ReplicaBench) -> Int {
    bench.effects.diagnostics.filter { if case .refusedFrame = $0 { true } else { false } }.count
  }

  @Test(arguments: 1...6 as ClosedRange<UInt64>) func garbageIsRefused(seed: UInt64) throws {
    var random = PseudoRandom(seed: seed)
    var bench = try ReplicaBench()
    if seed % 2 == 0 { bench.becomeLeader() } else { bench.follow() }
    let before = bench.replica.status
    for frame in FrameTests.frames(5) {
      var bytes = frame.encoded()
      for _ in 0..<20 {
        bytes[Int(random.below(UInt64(bytes.count)))] ^= UInt8(1 + random.below(255))
        bench.step(.frame(bytes[...], connection: 1))
        bench.step(.frame(bytes[..<Int(random.below(UInt64(bytes.count)))], connection: 1))
      }
    }
    #expect(bench.replica.status == before)
  }

  /// Frames with a right checksum and any content, from a member and from strangers.
  @Test(arguments: 1...10 as ClosedRange<UInt64>) func forgedMessagesNeverTrap(seed: UInt64) throws {
    var random = PseudoRandom(seed: seed)
    var bench = try ReplicaBench()
    if seed % 3 == 0 { bench.becomeLeader() } else if seed % 3 == 1 { bench.follow() }
    for _ in 0..<400 {
      // What contradicts what is committed stops it: then another one goes on.
      if bench.replica.status.role == .stopped { bench = try ReplicaBench(seed: random.next()) }
      let commit = bench.replica.status.commitIndex
      let numbers: [UInt64] = [0, 1, 2, 3, commit, commit + 1, 1 << 32, 1 << 62, .max - 1, .max]
      let bodies = FrameTests.messages(numbers[Int(random.below(UInt64(numbers.count)))])
      let body = bodies[Int(random.below(UInt64(bodies.count)))]
      let term = random.below(8) == 0 ? numbers[Int(random.below(10))] : (bench.replica.raft?.term ?? 0) + random.below(2)
      bench.receive(body, from: 2 + random.below(3), term: term)
      #expect(bench.replica.status.commitIndex >= commit)
      #expect(bench.replica.status.appliedIndex <= bench.replica.status.commitIndex)
      bench.tick(after: .milliseconds(Int64(random.below(300))))
    }
  }

  @Test func oneLineASecond() throws {
    var bench = try ReplicaBench()
    var lines = 0
    for _ in 0..<3000 {
      bench.now = bench.now + .milliseconds(1)
      bench.step(.frame([1, 2, 3], connection: 1))
      lines += refusals(bench)
    }
    #expect((3...4).contains(lines))
  }

  @Test func framesOfAnotherClusterAreAnsweredAndNotHeard() throws {
    var bench = try ReplicaBench()
    let message = Message(from: NodeID(2), to: NodeID(1), term: 9, body: .heartbeat(round: 1, commit: 9, confirmed: 9))
    for cluster in [ClusterID(77), nil] {
      let frame = Frame(cluster: cluster, from: NodeID(2), to: NodeID(1), body: .message(message))
      bench.step(.frame(frame.encoded()[...], connection: 5))
      #expect(bench.replica.status.term == 1)
      #expect(bench.effects.frames.map(\.to) == [.connection(5)])
      let answer = try Frame(decoding: try #require(bench.effects.frames.first).frame[...])
      #expect(answer.body == .wrongCluster)
      // No answer to an answer: two strangers do not talk for ever.
      bench.step(.frame(answer.encoded()[...], connection: 5))
      #expect(bench.effects.frames.isEmpty)
    }
  }

  @Test func framesForAnotherNodeAreNotHeard() throws {
    var bench = try ReplicaBench()
    let message = Message(from: NodeID(2), to: NodeID(3), term: 9, body: .outdated)
    bench.step(
      .frame(Frame(cluster: ReplicaBench.cluster, from: NodeID(2), to: NodeID(3), body: .message(message)).encoded()[...], connection: 5))
    #expect(bench.replica.status.term == 1)
    #expect(refusals(bench) == 1)
  }

  /// The numbers of questions follow each other: who led once may guess the next, and must not answer it any more.
  @Test func answersOfOthersThanTheLeaderAreNotHeard() throws {
    var bench = try ReplicaBench()
    bench.follow()
    bench.step(.ask(7, question: [1], deadline: .zero + .milliseconds(5000)))
    let asked = bench.effects.frames.compactMap { frame -> QuestionFrame? in
      if case .questions(let questions) = try? Frame(decoding: frame.frame[...]).body { questions } else { nil }
    }
    let number = try #require(asked.first).number
    func answered(by peer: UInt64) -> Bool {
      let answers = QuestionFrame(number: number, items: [Questions.Item(id: 7, payload: [2])])
      let frame = Frame(cluster: ReplicaBench.cluster, from: NodeID(peer), to: NodeID(1), body: .answers(answers))
      bench.step(.frame(frame.encoded()[...], connection: peer))
      return bench.effects.replies.contains { if case .answered(7, _) = $0 { true } else { false } }
    }
    #expect(!answered(by: 3) && !answered(by: 9))
    #expect(answered(by: 2))
  }

  @Test func aFrameIsOfWhomItsConnectionHasShown() {
    let frame = Frame(cluster: ReplicaBench.cluster, from: NodeID(2), to: NodeID(1), body: .greeting).encoded()
    #expect(PeerProof.node(NodeID(2)).admits(frame))
    #expect(!PeerProof.node(NodeID(3)).admits(frame))
    #expect(!PeerProof.node(NodeID(2)).admits([1, 2, 3]), "what is no frame is of nobody")
    #expect(!PeerProof.nobody.admits(frame) && !PeerProof.nobody.admits([]))
    #expect(PeerProof.plainText.admits(frame))
  }

  @Test func messagesThatWaitForTheDiskAreBounded() throws {
    var bench = try ReplicaBench()
    // The disk does not answer any more: no turn after this one is followed by `written`.
    let frame = { (term: Term) in
      let message = Message(from: NodeID(2), to: NodeID(1), term: term, body: .heartbeat(round: term, commit: 0, confirmed: 0))
      return Frame(cluster: ReplicaBench.cluster, from: NodeID(2), to: NodeID(1), body: .message(message)).encoded()
    }
    var effects = ReplicaEffects<KeyValueMachine>()
    for term in 2...5000 as ClosedRange<Term> {
      effects.removeAll()
      bench.replica.step(.frame(frame(term)[...], connection: 1), now: .zero, into: &effects)
      bench.replica.endTurn(now: .zero, into: &effects)
      #expect(effects.frames.isEmpty)
    }
    #expect(bench.replica.control.withheld.count == 4096)
    bench.replica.step(.written(through: .max), now: .zero, into: &effects)
    bench.replica.endTurn(now: .zero, into: &effects)
    #expect(effects.frames.count >= 4096)
    #expect(bench.replica.control.withheld.isEmpty)
  }

  /// What was to be confirmed to one leader is replaced by the next in the turn in which it becomes durable.
  @Test func whatWasReplacedIsNotConfirmed() throws {
    var bench = try ReplicaBench()
    bench.follow()
    func append(_ term: Term, from peer: UInt64) -> ReplicaEvent<KeyValueMachine> {
      let entry = Entry(index: 2, term: term, kind: .command, payload: [0xff][...])
      let body = Message.Body.append(previous: LogPosition(index: 1, term: 1), entries: [entry], commit: 1)
      let message = Message(from: NodeID(peer), to: NodeID(1), term: term, body: body)
      let frame = Frame(cluster: ReplicaBench.cluster, from: NodeID(peer), to: NodeID(1), body: .message(message))
      return .frame(frame.encoded()[...], connection: peer)
    }
    func confirmed(_ effects: ReplicaEffects<KeyValueMachine>) -> [Term] {
      effects.frames.compactMap { frame in
        guard case .message(let message) = try? Frame(decoding: frame.frame[...]).body, case .appendAccepted(match: 2) = message.body
        else { return nil }
        return message.term
      }
    }
    var effects = ReplicaEffects<KeyValueMachine>()
    bench.replica.step(append(2, from: 2), now: .zero, into: &effects)
    bench.replica.endTurn(now: .zero, into: &effects)
    let first = try #require(effects.writes.last).sequence
    effects.removeAll()
    bench.replica.step(.written(through: first), now: .zero, into: &effects)
    bench.replica.step(append(3, from: 3), now: .zero, into: &effects)
    bench.replica.endTurn(now: .zero, into: &effects)
    #expect(confirmed(effects).isEmpty)
    let second = try #require(effects.writes.last).sequence
    effects.removeAll()
    bench.replica.step(.written(through: second), now: .zero, into: &effects)
    bench.replica.endTurn(now: .zero, into: &effects)
    #expect(confirmed(effects) == [3])
  }

  @Test func messagesThatWaitForTheDiskAreBoundedInBytesToo() throws {
    var settings = ReplicaSettings()
    settings.maximumWithheldBytes = 1 << 20
    var bench = try ReplicaBench(settings: settings)
    bench.becomeLeader()
    // Forwarded commands wait for the term that they name, which the disk never makes durable.
    var effects = ReplicaEffects<KeyValueMachine>()
    for term in 2...100 as ClosedRange<Term> {
      effects.removeAll()
      let message = Message(from: NodeID(2), to: NodeID(1), term: term, body: .heartbeat(round: term, commit: 0, confirmed: 0))
      let frame = Frame(cluster: ReplicaBench.cluster, from: NodeID(2), to: NodeID(1), body: .message(message)).encoded()
      bench.replica.step(.frame(frame[...], connection: 1), now: .zero, into: &effects)
      let command = [UInt8](repeating: 7, count: 100_000)[...]
      bench.replica.step(.propose(term, command: command, deadline: .zero + .milliseconds(60_000)), now: .zero, into: &effects)
      bench.replica.endTurn(now: .zero, into: &effects)
    }
    let bytes = bench.replica.control.withheld.reduce(0) { $0 + $1.message.longPartSize }
    #expect(bytes <= 1 << 20)
    #expect(bytes > 800_000, "what is dropped is the oldest, and no more than must be")
    #expect(bench.replica.control.withheld.last?.message.term == 100)
  }

  @Test func whoSentAFrameIsKnownAtOnce() throws {
    var bench = try ReplicaBench()
    let (own, other) = (ReplicaBench.cluster, ClusterID(77))
    func verdict(_ bytes: [UInt8]) -> FrameVerdict {
      bench.step(.frame(bytes[...], connection: 1))
      return bench.effects.frameVerdict
    }
    let greeting = Frame(cluster: own, from: NodeID(2), to: NodeID(1), body: .greeting).encoded()
    #expect(verdict(greeting) == .member)
    #expect(verdict(Frame(cluster: own, from: NodeID(2), to: nil, body: .greeting).encoded()) == .member)
    #expect(verdict(Frame(cluster: other, from: NodeID(2), to: NodeID(1), body: .greeting).encoded()) == .unknown)
    #expect(verdict(Frame(cluster: own, from: NodeID(2), to: NodeID(3), body: .greeting).encoded()) == .unknown)
    #expect(verdict(Frame(cluster: nil, from: NodeID(2), to: NodeID(1), body: .wrongCluster).encoded()) == .unknown)
    #expect(verdict(Array(greeting.dropLast()) + [greeting.last! ^ 1]) == .malformed)
    #expect(verdict([]) == .malformed)
  }

  /// Its connections have the bounds of strangers': it must not take the place of those of members.
  @Test func whoLeftDoesNotCountAsAMember() throws {
    let configuration = Configuration(voters: ReplicaBench.configuration.voters, removed: [NodeID(9)])
    var bench = try ReplicaBench(configuration: configuration)
    func verdict(_ node: UInt64) -> FrameVerdict {
      let frame = Frame(cluster: configuration.digest, from: NodeID(node), to: nil, body: .greeting)
      bench.step(.frame(frame.encoded()[...], connection: 1))
      return bench.effects.frameVerdict
    }
    #expect(verdict(9) == .unknown)
    #expect(verdict(2) == .member && verdict(10) == .member, "one that is not known yet may join")
  }

  @Test func whoIsToFormTheClusterCountsAsAMember() throws {
    var bench = try ReplicaBench(forming: ["a", "b"])
    func verdict(_ name: String) -> FrameVerdict {
      let bootstrap = BootstrapMessage(name: name, peerAddress: "x", clientAddress: "", names: ["a", "b"], phase: .undecided)
      bench.step(.frame(Frame(cluster: nil, from: NodeID(9), to: nil, body: .bootstrap(bootstrap)).encoded()[...], connection: 1))
      return bench.effects.frameVerdict
    }
    #expect(verdict("b") == .member)
    #expect(verdict("c") == .unknown)
  }

  @Test func membersAreGreetedAndNobodyElse() throws {
    let bench = try ReplicaBench()
    let member = try #require(bench.replica.raft?.configuration.voters.first { $0.id == NodeID(2) })
    let greeting = try Frame(decoding: try #require(bench.replica.greeting(for: member.peerAddress))[...])
    #expect(greeting == Frame(cluster: ReplicaBench.cluster, from: NodeID(1), to: nil, body: .greeting), "two may share the address")
    #expect(bench.replica.greeting(for: "elsewhere:1") == nil)
    #expect(try ReplicaBench(forming: ["a", "b"]).replica.greeting(for: member.peerAddress) == nil)
  }

  @Test func aFormingNodeKeepsWhatItSaysBounded() throws {
    var bench = try ReplicaBench(forming: ["a", "b"])
    let twin = BootstrapMessage(name: "a", peerAddress: "x", clientAddress: "", names: ["a", "b"], phase: .undecided)
    let frame = Frame(cluster: nil, from: NodeID(9), to: nil, body: .bootstrap(twin)).encoded()
    var lines = 0
    for _ in 0..<3000 {
      bench.now = bench.now + .milliseconds(1)
      bench.step(.frame(frame[...], connection: 1))
      lines += bench.effects.diagnostics.count
    }
    #expect(lines <= 4, "the same refusal again says nothing new")
  }

  // MARK: What cannot be

  private func contradictions(_ bench: ReplicaBench) -> [String] {
    bench.effects.diagnostics.compactMap { if case .contradiction(let text) = $0 { text } else { nil } }
  }

  /// Another first entry than the one that all members agreed on.
  private let contradiction = Message.Body.append(
    previous: .zero, entries: [Entry(index: 1, term: 2, kind: .command, payload: [1])], commit: 1)

  @Test func aLeaderThatContradictsWhatIsCommittedStopsTheNode() throws {
    var bench = try ReplicaBench()
    bench.follow()
    bench.step(.propose(7, command: [], deadline: .zero + .milliseconds(5000)))
    bench.receive(contradiction)
    #expect(contradictions(bench).count == 1)
    #expect(contradictions(bench)[0].contains("entry 1 of term 2"))
    #expect(bench.replica.status.role == .stopped)
    #expect(bench.effects.frames.isEmpty)
    #expect(bench.failures[7] != nil)
    #expect(bench.replica.raft?.term(at: 1) == 1)
    // It says so once, and is heard of no more.
    bench.receive(contradiction)
    bench.tick(after: .milliseconds(5000))
    #expect(bench.effects.diagnostics.isEmpty && bench.effects.frames.isEmpty && bench.effects.writes.isEmpty)
  }

  /// Nor does one of a leader that was, or of a member that this node does not follow.
  @Test func aStrangersContradictionDoesNothing() throws {
    var bench = try ReplicaBench()
    bench.follow()
    bench.receive(contradiction, from: 4)
    bench.receive(contradiction, from: 3)
    bench.receive(contradiction, term: 1)
    #expect(contradictions(bench).isEmpty)
    #expect(bench.replica.status.role == .follower)
  }
}
