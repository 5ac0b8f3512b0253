import ByteCoding

/// Which states behave alike: for searches that must know where they have been.
///
/// Left out is what cannot change what a node does or says: how long a forgotten part of the log is (only the owner asks), settings (the
/// same for all states that are compared), the generator and the election deadline (they only decide when a time-out comes, not what it
/// does), and what follows from other fields. Of moments there is only whether they are recent, of the numbers of writes only how they
/// follow each other. `DigestTests` insists that nothing is forgotten.
extension RaftCore {
  /// The log as far as it is in memory.
  package var keptEntries: [Entry] { log.suffix(from: log.start.index + 1) }

  /// `now` is the node's own clock.
  package func write(into digest: inout DigestWriter, now: Instant) {
    digest.write(id)
    digest.write(term > termAtStart)
    digest.write(role.number)
    digest.write(leader)
    digest.write(commitIndex)
    digest.write(hardState)
    digest.write(log.start)
    digest.write(log.kept)
    digest.write(keptEntries)
    digest.write(configurations.items) {
      $1.write($0.index)
      $1.write($0.configuration)
    }
    persistence.write(into: &digest)
    digest.write(verifiedIndex)
    digest.write(acknowledgedIndex)
    digest.write(hasLiveLeader(now: now))
    digest.write(unordered: tally.granted) { $1.write($0) }
    digest.write(unordered: tally.refused) { $1.write($0) }
    digest.write(forwarded.streams) {
      $1.write($0.peer)
      $1.write($0.number)
      $1.write($0.sequence)
    }
    digest.write(isDiskStalled(now: now))
    leadership.write(into: &digest, now: now, settings)
    digest.write(change?.request ?? .max)
    digest.write(change?.term ?? 0)
    digest.write(wasToldToLeave)
    digest.write(now >= nextHandOver)
    transfer?.write(into: &digest, now: now, settings)
  }
}

extension RaftCore.Role {
  fileprivate var number: UInt64 {
    switch self {
    case .follower: 0
    case .preCandidate: 1
    case .candidate: 2
    case .leader: 3
    }
  }
}

extension Persistence {
  fileprivate func write(into digest: inout DigestWriter) {
    digest.write(durableIndex)
    digest.write(nextSequence - durableSequence)
    digest.write(hardStateIsDurable ? 0 : nextSequence - hardStateSequence)
    digest.write(hardStateIsDirty)
    digest.write(firstDirtyIndex ?? .max)
    digest.write(reset != nil)
    digest.write(reset ?? .zero)
    digest.write(dirtyBytes)
    digest.write(underWay) {
      $1.write(nextSequence - $0.sequence)
      $1.write($0.through)
      $1.write($0.bytes)
    }
  }
}

extension Leadership {
  fileprivate func write(into digest: inout DigestWriter, now: Instant, _ settings: Settings) {
    digest.write(unordered: peers) { $0.write(into: &$1, now: now, settings) }
    digest.write(termStart)
    digest.write(now >= heartbeatDeadline)
    digest.write(now - progressAt > settings.replicationStallTimeout)
    digest.write(round)
    digest.write(wantsRound)
    digest.write(reads) {
      $1.write($0.id)
      $1.write($0.origin)
      $1.write($0.index)
      $1.write($0.round)
    }
    digest.write(uncommittedBytes)
    digest.write(allowance)
    digest.write(unordered: catchUps) {
      $1.write($0.peer)
      $1.write($0.through)
      $1.write(now - $0.since <= settings.electionTimeout)
      $1.write($0.isDone)
    }
  }
}

extension Transfer {
  fileprivate func write(into digest: inout DigestWriter, now: Instant, _ settings: Settings) {
    digest.write(request ?? .max)
    digest.write(target)
    digest.write(term)
    digest.write(now >= deadline)
    digest.write(toldAt.map { now - $0 < settings.heartbeatInterval } ?? false)
  }
}

extension Progress {
  fileprivate func write(into digest: inout DigestWriter, now: Instant, _ settings: Settings) {
    digest.write(peer)
    switch state {
    case .probe: digest.write(0)
    case .replicate: digest.write(1)
    case .snapshot: digest.write(2)
    }
    digest.write(match)
    digest.write(next)
    digest.write(awaitsProbe)
    // A probe that is not awaited is as good as none.
    digest.write(awaitsProbe ? probeRound : 0)
    digest.write(probeIsRepeated)
    digest.write(awaitsProbe && probeIsRepeated && now - probedAt >= settings.heartbeatInterval)
    digest.write(unconfirmed ?? .zero)
    digest.write(awaitsProbe ? lastSent.index : 0)
    digest.write(askedAt.map { now - $0 >= settings.heartbeatInterval } ?? true)
    digest.write(awaitedRead ?? .max)
    digest.write(sentCommit)
    digest.write(answeredRound)
    digest.write(now - lastContact > settings.electionTimeout)
    digest.write(hasAnswered)
    digest.write(inflight) {
      $1.write($0.last)
      $1.write($0.bytes)
    }
  }
}

extension DigestWriter {
  /// Names and addresses are for people and transports.
  fileprivate mutating func write(_ configuration: Configuration) {
    write(unordered: configuration.voters) { $1.write($0.id) }
    write(unordered: configuration.outgoing) { $1.write($0.id) }
    write(unordered: configuration.learners) {
      $1.write($0.member.id)
      switch $0.promotion {
      case .onRequest: $1.write(0)
      case .whenCaughtUp: $1.write(1)
      case .replacing(let old): $1.write(old)
      }
    }
    write(unordered: configuration.removed) { $1.write($0) }
  }

  fileprivate mutating func write(_ bytes: Bytes) {
    write(bytes.count)
    for byte in bytes { write(UInt64(byte)) }
  }

  fileprivate mutating func write(_ descriptor: SnapshotDescriptor) {
    write(descriptor.position)
    write(descriptor.configuration)
    write(descriptor.configurationIndex)
  }
}

extension Message {
  package func write(into digest: inout DigestWriter) {
    digest.write(from)
    digest.write(to)
    digest.write(term)
    body.write(into: &digest)
  }
}

extension Message.Body {
  fileprivate func write(into digest: inout DigestWriter) {
    switch self {
    case .preVoteRequest(let last): digest.write(1, last)
    case .preVoteResponse(let granted): digest.write(2, granted ? 1 : 0)
    case .voteRequest(let last): digest.write(3, last)
    case .voteResponse(let granted): digest.write(4, granted ? 1 : 0)
    case .append(let previous, let entries, let commit):
      digest.write(5, previous)
      digest.write(entries)
      digest.write(commit)
    case .appendAccepted(let match): digest.write(6, match)
    case .appendRejected(let previous, let hint):
      digest.write(7, hint)
      digest.write(previous)
    case .heartbeat(let round, let commit, let confirmed): digest.write(8, round, commit, confirmed)
    case .heartbeatResponse(let round, let confirmed, let received, let match): digest.write(9, round, confirmed, received, match)
    case .commit(let index): digest.write(10, index)
    case .snapshotBlock(let descriptor, let number, let block, let last, let file):
      digest.write(11, UInt64(number), last ? 1 : 0, UInt64(file.checksum), UInt64(file.blocks), file.bytes)
      digest.write(descriptor)
      digest.write(block)
    case .snapshotProgress(let position, let next):
      digest.write(12, position)
      digest.write(next)
    case .readRequest(let id): digest.write(13, id)
    case .readResponse(let id, let index): digest.write(14, id, index)
    case .proposals(let stream, let sequence, let payloads):
      digest.write(15, stream, sequence)
      digest.write(payloads) { $1.write($0) }
    case .proposalsRefused(let stream, let sequence): digest.write(16, stream, sequence)
    case .outdated: digest.write(17)
    case .timeoutNow: digest.write(18)
    case .removed: digest.write(20)
    case .transferVoteRequest(let last): digest.write(19, last)
    }
  }
}

extension DigestWriter {
  fileprivate mutating func write(_ kind: UInt64, _ numbers: UInt64...) {
    write(kind)
    for number in numbers { write(number) }
  }

  fileprivate mutating func write(_ kind: UInt64, _ position: LogPosition) {
    write(kind)
    write(position)
  }
}
