import ByteCoding
import Raft
import Replica
import Testing

@testable import KeyValue

/// A machine that leads, on virtual time.
struct Leader {
  var machine = KeyValueMachine()
  var now = Instant.zero
  var term: Term? = 1
  /// What was given last, and what it would say in the log.
  var notices: [String] = []

  /// What it proposes in this turn.
  mutating func turn(after time: Nanoseconds = .zero) -> [Request] {
    now = now + time
    let commands = machine.lead(term, now: now)
    notices = commands.compactMap(\.notice)
    return commands.compactMap { try? Request(decoding: $0.payload[...]) }
  }

  mutating func perform(_ requests: Request..., at index: UInt64 = 1) {
    for request in requests { machine.perform(request, at: index) }
  }

  mutating func keepAlive(_ id: LeaseID, askedAt: Instant? = nil) -> LeaseAnswer? { ask(.keepAlive(id), askedAt: askedAt) }

  mutating func remaining(_ id: LeaseID) -> LeaseAnswer? { ask(.remaining(id)) }

  private mutating func ask(_ question: LeaseQuestion, askedAt: Instant? = nil) -> LeaseAnswer? {
    try? LeaseAnswer(decoding: machine.answer(question.encoded()[...], askedAt: askedAt ?? now, now: now)[...])
  }
}
