import Raft

/// When the leader forgets what is too old or too much, by the store's settings. Volatile: who begins to lead knows the age of nothing, so
/// what is older than the age is kept for up to another.
struct HistoryClock: Sendable {
  struct Compaction: Equatable {
    let revision: Revision
    /// For the log, with what the settings say.
    let reason: String
  }

  /// Which revision was the newest at some time.
  private struct Sample: Sendable {
    let time: Instant
    let revision: Revision
  }

  /// The age is told in so many steps.
  private static let steps: Int64 = 16
  /// Only after the age was changed there are more than one for each step.
  static let mostSamples = 64
  /// A compaction that was proposed may be lost: it is given again then.
  static let retry = Nanoseconds.seconds(3)

  private var samples: [Sample] = []
  private var notBefore = Instant.zero
  /// Proposed, and not seen to be done.
  private var given: Revision?
  /// Nothing is kept of before this revision.
  private var useless: Revision = -1

  var sampleCount: Int { samples.count }

  private static func step(_ settings: StoreSettings) -> Nanoseconds { max(.seconds(settings.historyAge) / steps, .seconds(1)) }

  /// When `lead` is to be called again.
  func deadline(_ settings: StoreSettings) -> Instant {
    let retry = given == nil ? Instant.never : notBefore
    guard settings.historyAge > 0 else { return retry }
    return min(retry, samples.last.map { $0.time + HistoryClock.step(settings) } ?? .zero)
  }

  /// What is to be proposed. O(1) if nothing is due.
  mutating func lead(_ view: KeyValueView, now: Instant) -> Compaction? {
    if let revision = given, view.compactRevision >= revision { given = nil }
    let byAge = oldEnough(view, now)
    let isLarge = view.settings.historyBytes > 0 && view.pastSize > view.settings.historyBytes
    guard byAge != nil || isLarge else {
      given = nil
      return nil
    }
    guard now >= notBefore else { return nil }
    var compaction = byAge.map { Compaction(revision: $0, reason: "older than \(view.settings.historyAge) s") }
    if isLarge {
      let revision = view.oldestRevision(keeping: view.settings.historyBytes / 2)
      if revision > byAge ?? -1 {
        compaction = Compaction(revision: revision, reason: "it has more than \(view.settings.historyBytes) bytes")
      }
    }
    guard let compaction, view.wouldForget(before: compaction.revision) else {
      given = nil
      // It never will.
      if let byAge { useless = byAge }
      if isLarge { notBefore = now + HistoryClock.retry }
      return nil
    }
    notBefore = now + HistoryClock.retry
    given = compaction.revision
    return compaction
  }

  /// The newest revision that is old enough to be the oldest; `nil` if that is compacted already.
  private mutating func oldEnough(_ view: KeyValueView, _ now: Instant) -> Revision? {
    let age = Nanoseconds.seconds(view.settings.historyAge)
    guard age > .zero else {
      samples = []
      return nil
    }
    if samples.last.map({ now >= $0.time + HistoryClock.step(view.settings) }) ?? true {
      if samples.count == HistoryClock.mostSamples { samples.removeFirst() }
      samples.append(Sample(time: now, revision: view.revision))
    }
    while samples.count > 1, now - samples[1].time >= age { samples.removeFirst() }
    guard let first = samples.first, now - first.time >= age, first.revision > max(view.compactRevision, useless) else { return nil }
    return first.revision
  }
}
