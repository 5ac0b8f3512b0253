import Raft

/// Makes a failing story short: leaves out nodes, faults and operations, and makes what is left simpler, as long as the same checker still
/// finds something wrong (delta debugging: Zeller and Hildebrandt, "Simplifying and isolating failure-inducing input", 2002).
public struct Shrinker {
  /// The shortest story so far that fails.
  public private(set) var story: Story
  /// What the checker finds in it.
  public private(set) var violation: Violation
  /// Runs so far, and how many there may be.
  public private(set) var runs = 0
  public let maximumRuns: Int

  private let checker: (Story) -> Violation?

  /// `nil` if the story does not fail. `checker` runs a story, and gives the first thing that was found wrong.
  public init?(_ story: Story, maximumRuns: Int = 5000, checker: @escaping (Story) -> Violation?) {
    guard let violation = checker(story) else { return nil }
    self.story = story
    self.violation = violation
    self.maximumRuns = maximumRuns
    self.checker = checker
  }

  /// Goes on until nothing more can be left out, or `maximumRuns` is reached. `progress` is called for each shorter story.
  public mutating func shrink(progress: (Shrinker) -> Void = { _ in }) {
    var before: Story?
    while before != story, runs < maximumRuns {
      before = story
      endEarly(progress)
      leaveOutNodes(progress)
      leaveOutSteps(progress)
      takeSnapshotsSooner(progress)
      simplifyScale(progress)
      simplifySteps(progress)
      closeGaps(progress)
    }
  }

  /// Takes the candidate if the same checker still finds something.
  private mutating func take(_ candidate: Story, _ progress: (Shrinker) -> Void) -> Bool {
    guard candidate != story, runs < maximumRuns else { return false }
    runs += 1
    guard let found = checker(candidate), found.checker == violation.checker else { return false }
    story = candidate
    violation = found
    progress(self)
    return true
  }

  // MARK: Passes

  /// Nothing after the violation matters; what only shows in the end needs an end that comes sooner.
  private mutating func endEarly(_ progress: (Shrinker) -> Void) {
    var candidate = story
    candidate.steps.removeAll { $0.at > violation.at }
    if violation.at < story.end { candidate.end = violation.at }
    if take(candidate, progress) { return }
    candidate = story
    candidate.end = (story.steps.last?.at ?? .zero) + Nanoseconds(1)
    _ = take(candidate, progress)
  }

  private mutating func leaveOutNodes(_ progress: (Shrinker) -> Void) {
    for name in story.names.reversed() where story.names.count > 1 {
      var candidate = story
      candidate.names.removeAll { $0 == name }
      candidate.core.removeAll { $0 == name }
      candidate.joining.removeAll { $0 == name }
      guard !candidate.founders.isEmpty else { continue }
      candidate.steps.removeAll { $0.action.names.contains(name) }
      if 2 * candidate.core.count <= candidate.names.count { candidate.core = candidate.names }
      _ = take(candidate, progress)
    }
  }

  /// Chunks of half of all steps, of a quarter, and so on down to single ones.
  private mutating func leaveOutSteps(_ progress: (Shrinker) -> Void) {
    var size = max(1, story.steps.count / 2)
    while true {
      var begin = 0
      while begin < story.steps.count {
        var candidate = story
        candidate.steps.removeSubrange(begin..<min(begin + size, story.steps.count))
        if !take(candidate, progress) { begin += size }
      }
      if size == 1 { return }
      size = max(1, size / 2)
    }
  }

  /// What needs a snapshot needs few operations, if it comes soon.
  private mutating func takeSnapshotsSooner(_ progress: (Shrinker) -> Void) {
    for bytes in [Story.usualSnapshotBytes / 40, Story.usualSnapshotBytes / 8]
    where story.steps.count > Self.fewSteps && bytes < story.scale.snapshotBytes {
      var other = self
      var candidate = story
      candidate.scale.snapshotBytes = bytes
      if other.take(candidate, progress) { other.leaveOutSteps(progress) }
      if other.story.steps.count < story.steps.count { self = other } else { runs = other.runs }
    }
  }

  private static let fewSteps = 8

  private mutating func simplifyScale(_ progress: (Shrinker) -> Void) {
    let changes: [(inout Story) -> Void] = [
      { $0.place = .lan }, { $0.core = $0.names }, { $0.scale.starts = .zero }, { $0.scale.hasTightBounds = false },
      { $0.scale.longestTurn = .zero }, { $0.scale.limits = 0 }, { $0.scale.linkKilobytes = 0 },
      { $0.scale.linksKeepOrder = false },
      { $0.scale.keepsLittle = false }, { $0.scale.keys = 1 }, { $0.scale.keys = min($0.scale.keys, 2) },
      { $0.scale.valueBytes = 0 }, { if $0.steps.count <= Self.fewSteps { $0.scale.snapshotBytes = Story.usualSnapshotBytes } },
    ]
    for change in changes {
      var candidate = story
      change(&candidate)
      _ = take(candidate, progress)
    }
  }

  private mutating func simplifySteps(_ progress: (Shrinker) -> Void) {
    for place in story.steps.indices {
      for action in story.steps[place].action.simpler(at: place, names: story.names) {
        var candidate = story
        candidate.steps[place].action = action
        if action.size < story.steps[place].action.size { _ = take(candidate, progress) }
      }
    }
  }

  /// Lets later steps come sooner, so that the story has no empty stretches, and gives them round times.
  private mutating func closeGaps(_ progress: (Shrinker) -> Void) {
    for place in story.steps.indices {
      let (before, at) = (place == 0 ? .zero : story.steps[place - 1].at, story.steps[place].at)
      let gap = at - before
      let sooner = [.zero, gap / 10, gap / 2, gap / 10 * 9, gap].map { max(before, Self.wholeMillisecond(before + $0)) }
      let later = Self.wholeMillisecond(roundingUp: at)
      for other in sooner.filter({ $0 < at }) + (later > at ? [later] : []) {
        if take(moved(from: place, by: other - at), progress) { break }
      }
    }
    let (last, end) = (story.steps.last?.at ?? .zero, story.end)
    for other in [last + (end - last) / 10, last + (end - last) / 2, end].map({ Self.wholeMillisecond(roundingUp: $0) }) {
      var candidate = story
      candidate.end = other
      if take(candidate, progress) { break }
    }
  }

  private static func wholeMillisecond(_ at: Instant) -> Instant { .zero + (at - .zero).inWholeMilliseconds }
  private static func wholeMillisecond(roundingUp at: Instant) -> Instant { wholeMillisecond(at + Nanoseconds(999_999)) }

  private func moved(from place: Int, by shift: Nanoseconds) -> Story {
    var candidate = story
    for later in place..<story.steps.count { candidate.steps[later].at = candidate.steps[later].at + shift }
    candidate.end = max(candidate.steps.last?.at ?? .zero, candidate.end + shift)
    return candidate
  }
}
