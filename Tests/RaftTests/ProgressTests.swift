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
    // If the probe was lost after all, a heartbeat finds out.
    progress.missed(sentThrough: 12, received: 9)
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
    progress.missed(sentThrough: 9, received: 3)
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
    progress.missed(sentThrough: 7, received: 4)
    #expect(progress.state == .probe)
    #expect(progress.next == 5)
    #expect(progress.hasRoom(settings))
  }

  @Test func aSnapshotEndsTheSendingUntilItIsThere() {
    var progress = Progress(peer: Bench.b, next: 3, now: .zero)
    progress.needsSnapshot(through: 20)
    #expect(!progress.hasRoom(settings))
    progress.rejected(previous: 30, candidate: 1)
    progress.missed(sentThrough: 20, received: 0)
    _ = progress.accepted(through: 19)
    #expect(progress.state == .snapshot, "the log begins after 20")
    _ = progress.accepted(through: 25)
    #expect(progress.state == .replicate)
    #expect(progress.next == 26)
  }
}
