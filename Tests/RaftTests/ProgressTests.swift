import Testing

@testable import Raft

/// What a leader knows of a peer: the paper, section 5.3; probing and pipelining as in the dissertation, section 10.2.1.
@Suite struct ProgressTests {
  let settings = Settings()

  func entries(_ range: ClosedRange<LogIndex>, size: Int = 0) -> [Entry] {
    range.map { Entry(index: $0, term: 1, kind: .command, payload: [UInt8](repeating: 0, count: size)[...]) }
  }

  func replicating(next: LogIndex) -> Progress {
    var progress = Progress(peer: Bench.b, next: next, now: .zero)
    _ = progress.accepted(through: next - 1)
    return progress
  }

  func accept(_ progress: inout Progress, _ index: LogIndex) -> Bool { progress.accepted(through: index) }

  @Test func aProbeIsOneMessageAtATime() {
    var progress = Progress(peer: Bench.b, next: 10, now: .zero)
    #expect(progress.hasRoom(settings))
    progress.sent(entries(10...12), round: 1, now: .zero)
    #expect(!progress.hasRoom(settings))
    #expect(progress.next == 10, "what a probe carried counts when it is answered")
    let later = Instant.zero + settings.heartbeatInterval
    progress.answered(round: 1, now: later, settings)
    #expect(!progress.hasRoom(settings), "the answer to a heartbeat that was sent before it")
    // Lost: the answer to a later heartbeat frees it.
    progress.answered(round: 2, now: .zero, settings)
    #expect(progress.hasRoom(settings))
    progress.sent(entries(10...12), round: 2, now: .zero)
    progress.answered(round: 3, now: .zero, settings)
    #expect(!progress.hasRoom(settings), "too soon: this is no time to send it again and again")
    progress.answered(round: 3, now: later, settings)
    #expect(progress.hasRoom(settings))
  }

  @Test func whatAProbeCarriedIsNotSentTwice() {
    var progress = Progress(peer: Bench.b, next: 10, now: .zero)
    progress.sent(entries(10...12), round: 1, now: .zero)
    // What was durable before is acknowledged at once, the rest when it is.
    #expect(accept(&progress, 9))
    #expect(progress.next == 13)
    // If the probe was lost after all, an empty append after it finds out.
    #expect(progress.unconfirmed == LogPosition(index: 12, term: 1))
    progress.rejected(previous: 12, candidate: 9)
    #expect(progress.next == 10)
    #expect(progress.hasRoom(settings))
  }

  @Test func replicatingGoesOnWithoutAnAnswerUpToTheBounds() {
    var settings = Settings()
    settings.maximumInflightMessages = 2
    settings.maximumInflightBytes = 1000
    var progress = replicating(next: 5)
    progress.sent(entries(5...5), round: 1, now: .zero)
    #expect(progress.hasRoom(settings))
    progress.sent(entries(6...6), round: 1, now: .zero)
    #expect(!progress.hasRoom(settings), "two messages")
    #expect(accept(&progress, 5))
    #expect(progress.hasRoom(settings))
    progress.sent(entries(7...7, size: 1000), round: 1, now: .zero)
    #expect(accept(&progress, 6))
    #expect(!progress.hasRoom(settings), "1000 bytes")
    #expect(accept(&progress, 7))
    #expect(progress.hasRoom(settings))
  }

  @Test func matchNeverMovesBackwards() {
    var progress = replicating(next: 10)
    #expect(progress.match == 9)
    #expect(!accept(&progress, 4))
    progress.rejected(previous: 5, candidate: 2)
    #expect(progress.match == 9)
    #expect(progress.next == 10)
    progress.missed(confirmed: 9, received: 3)
    #expect(progress.match == 9)
    #expect(progress.next == 10)
  }

  @Test func aStaleRejectionDoesNotRewind() {
    var progress = Progress(peer: Bench.b, next: 10, now: .zero)
    progress.sent(entries(10...10), round: 1, now: .zero)
    progress.rejected(previous: 9, candidate: 5)
    #expect(progress.next == 6)
    progress.sent(entries(6...10), round: 1, now: .zero)
    progress.rejected(previous: 9, candidate: 2)
    #expect(progress.next == 6, "the answer to an older probe")
    #expect(accept(&progress, 10))
    progress.rejected(previous: 5, candidate: 2)
    #expect(progress.state == .replicate)
    #expect(progress.next == 11)
  }

  @Test func aRejectionGoesBackAtLeastOne() {
    var progress = Progress(peer: Bench.b, next: 10, now: .zero)
    for expected in (1...9 as ClosedRange<LogIndex>).reversed() {
      progress.rejected(previous: progress.next - 1, candidate: .max)
      #expect(progress.next == expected)
    }
    progress.rejected(previous: 0, candidate: 0)
    #expect(progress.next == 1)
  }

  @Test func whatWasLostIsSentAgain() {
    var progress = replicating(next: 5)
    progress.sent(entries(5...7), round: 1, now: .zero)
    #expect(progress.unconfirmed == LogPosition(index: 7, term: 1))
    progress.rejected(previous: 7, candidate: 4)
    #expect(progress.state == .probe)
    #expect(progress.next == 5)
    #expect(progress.hasRoom(settings))
    #expect(progress.unconfirmed == nil)
  }

  @Test func whatIsConfirmedNeedsNoQuestion() {
    var progress = replicating(next: 5)
    #expect(progress.unconfirmed == nil)
    progress.sent(entries(5...7), round: 1, now: .zero)
    #expect(accept(&progress, 6))
    #expect(progress.unconfirmed == LogPosition(index: 7, term: 1))
    #expect(accept(&progress, 7))
    #expect(progress.unconfirmed == nil)
  }

  @Test func aPeerThatWasStartedAnewIsAskedAgain() {
    var progress = replicating(next: 10)
    progress.missed(confirmed: 9, received: 9)
    #expect(progress.state == .replicate)
    progress.missed(confirmed: 9, received: 0)
    #expect(progress.state == .probe)
    #expect(progress.next == 10)
  }

  @Test func aProbeCarriesLittleAndNothingWhenItIsRepeated() {
    var progress = Progress(peer: Bench.b, next: 10, now: .zero)
    #expect((1...(16 << 10)).contains(progress.appendLimit(settings)))
    progress.sent(entries(10...10), round: 1, now: .zero)
    progress.answered(round: 2, now: .zero, settings)
    #expect(progress.hasRoom(settings))
    #expect(progress.appendLimit(settings) == 0, "it may be on its way")
    progress.sent([], round: 2, now: .zero)
    #expect(accept(&progress, 9))
    #expect(progress.next == 10, "the repetition carried nothing")
    #expect(progress.appendLimit(settings) == settings.maximumAppendBytes)
  }

  /// A peer that has nothing answers a probe without entries by nothing.
  @Test func aProbeFromTheBeginningIsRepeatedWhole() {
    var progress = Progress(peer: Bench.b, next: 2, now: .zero)
    progress.rejected(previous: 1, candidate: 0)
    #expect(progress.next == 1)
    progress.sent(entries(1...3), round: 1, now: .zero)
    progress.answered(round: 2, now: .zero, settings)
    #expect(progress.hasRoom(settings) && progress.appendLimit(settings) > 0)
  }

  @Test func anAnswerThatOvertookTheProbeDoesNotEndIt() {
    var progress = replicating(next: 10)
    progress.sent(entries(10...20), round: 1, now: .zero)
    progress.rejected(previous: 12, candidate: 9)
    progress.sent(entries(10...11), round: 1, now: .zero)
    progress.confirmed(through: 9)
    #expect(progress.state == .probe && !progress.hasRoom(settings), "it had that before")
    progress.confirmed(through: 10)
    #expect(progress.state == .probe && progress.match == 10, "a part of it may be of the messages before the probe")
    progress.confirmed(through: 11)
    #expect(progress.state == .replicate && progress.next == 12)
  }

  @Test func aPeerIsAskedOnceInAnInterval() {
    var progress = replicating(next: 5)
    progress.sent(entries(5...7), round: 1, now: .zero)
    #expect(progress.askAfter(now: .zero, settings) == LogPosition(index: 7, term: 1))
    #expect(progress.askAfter(now: .zero, settings) == nil)
    #expect(progress.askAfter(now: .zero + settings.heartbeatInterval, settings) == LogPosition(index: 7, term: 1))
  }

  @Test func aSnapshotEndsTheSendingUntilItIsThere() {
    var progress = Progress(peer: Bench.b, next: 3, now: .zero)
    progress.needsSnapshot(through: 20)
    #expect(!progress.hasRoom(settings))
    progress.rejected(previous: 30, candidate: 1)
    progress.missed(confirmed: 20, received: 0)
    _ = progress.accepted(through: 19)
    #expect(progress.state == .snapshot, "the log begins after 20")
    _ = progress.accepted(through: 25)
    #expect(progress.state == .replicate)
    #expect(progress.next == 26)
  }
}

extension Progress {
  /// After what the peer had before.
  fileprivate mutating func sent(_ entries: [Entry], round: UInt64, now: Instant) {
    sent(entries, after: LogPosition(index: (entries.first?.index ?? next) - 1, term: 1), round: round, now: now)
  }
}
