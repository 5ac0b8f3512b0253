import KeyValue
import Links
import Raft

/// Counts of one owner are of one life of a link: `visits/<slug>,<create revision>,<owner>`, as `Docs/Links.md` has it. Read here
/// without the help of the code that is checked.
struct CounterName: Hashable {
  let life: LinkIdentity
  let owner: UInt64

  init(life: LinkIdentity, owner: UInt64) {
    self.life = life
    self.owner = owner
  }

  /// `nil` if the key is that of something else.
  init?(_ key: Key) {
    guard key.starts(with: Self.prefix) else { return nil }
    let parts = key.dropFirst(Self.prefix.count).split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false)
    guard parts.count == 3, let slug = try? Slug(String(decoding: parts[0], as: UTF8.self)), let revision = Self.number(parts[1]),
      let owner = Self.number(parts[2])
    else { return nil }
    self.init(life: LinkIdentity(slug: slug, createRevision: Revision(bitPattern: revision)), owner: owner)
  }

  private static let prefix = Key("visits/".utf8)

  /// Sixteen lower-case hexadecimal digits.
  private static func number(_ digits: ArraySlice<UInt8>) -> UInt64? {
    guard digits.count == 16 else { return nil }
    var number: UInt64 = 0
    for digit in digits {
      switch digit {
      case UInt8(ascii: "0")...UInt8(ascii: "9"): number = number << 4 | UInt64(digit - UInt8(ascii: "0"))
      case UInt8(ascii: "a")...UInt8(ascii: "f"): number = number << 4 | UInt64(digit - UInt8(ascii: "a") + 10)
      default: return nil
      }
    }
    return number
  }

  /// Those that a flush reads or writes, in its order.
  static func names(in flush: Request) -> [CounterName] {
    guard case .transaction(let transaction) = flush else { return [] }
    return transaction.success.compactMap { request in
      switch request {
      case .range(let read): CounterName(read.range.start)
      case .put(let put): CounterName(put.key)
      default: nil
      }
    }
  }
}

/// One who counts visits: a `VisitCounter`, one process after the other, and a second account of what it was given and has said.
struct VisitOwner {
  let number: UInt64
  private(set) var counter: VisitCounter
  private(set) var process: UInt64 = 1
  /// When the flush that is under way was asked.
  private(set) var askedAt: Instant?

  /// What this process was given, in the three steps that a visit takes: not looked at, put aside for batches, in the batch.
  private var open: [LinkIdentity: UInt64] = [:]
  private var taken: [LinkIdentity: UInt64] = [:]
  private var batch: [LinkIdentity: UInt64] = [:]
  /// Visits of the batch of which the counter has not said what became of them.
  private var undecided: UInt64 = 0
  private var recorded: UInt64 = 0

  init(number: UInt64) {
    self.number = number
    counter = VisitCounter(owner: CounterOwner(number), process: process)
  }

  mutating func record(_ life: LinkIdentity) {
    counter.record(life)
    open[life, default: 0] += 1
    recorded += 1
  }

  /// The process ends, with all that it had not flushed; what it had asked may yet be done.
  mutating func restart() {
    let next = process + 1
    self = VisitOwner(number: number)
    process = next
    counter = VisitCounter(owner: CounterOwner(number), process: next)
  }

  /// What the counter asks now; `nil` if no visit waits.
  mutating func nextFlush() -> Request? {
    if batch.isEmpty, taken.isEmpty { swap(&taken, &open) }
    guard let request = counter.nextRequest() else { return nil }
    if batch.isEmpty {
      for name in CounterName.names(in: request) { batch[name.life] = taken.removeValue(forKey: name.life) }
      undecided = CounterName.names(in: request).reduce(0) { $0 + batch[$1.life, default: 0] }
    }
    return request
  }

  mutating func asked(at now: Instant) { askedAt = now }

  /// The way to the store is free again, and nothing is known of what was asked, or that it was not done.
  mutating func givenUp(isUnknown: Bool) {
    askedAt = nil
    if isUnknown { counter.outcomeUnknown() }
  }

  /// - Returns: the counts that the counter now calls committed, and how much each grew.
  /// - Throws: `VisitAccountError` if the counter's account is not ours.
  mutating func receive(_ answer: Response, to flush: Request) throws(VisitAccountError) -> [(counter: CounterName, visits: UInt64)] {
    askedAt = nil
    let committed = counter.committed
    let before = counter.decided
    do throws(LinkError) {
      try counter.receive(answer)
    } catch {
      throw VisitAccountError(text: "owner \(number) cannot read the answer to its flush: \(error)")
    }
    let told = counter.committed > committed ? CounterName.names(in: flush).map { ($0, batch[$0.life, default: 0]) } : []
    let sent = told.reduce(0) { $0 + $1.1 }
    guard sent == counter.committed - committed else {
      throw VisitAccountError(text: "owner \(number) calls \(counter.committed - committed) visits committed, and sent \(sent)")
    }
    guard recorded == counter.decided + counter.waiting, counter.decided - before <= undecided else {
      throw VisitAccountError(text: "owner \(number) was given \(recorded) visits, and knows of \(counter.decided + counter.waiting)")
    }
    undecided -= counter.decided - before
    if undecided == 0 { batch = [:] }
    return told
  }
}

extension VisitCounter {
  /// Visits of which it has said what became of them.
  fileprivate var decided: UInt64 { committed + dropped + outlived }
}

/// What a counter says of its visits is not what it was given.
struct VisitAccountError: Error {
  let text: String
}
