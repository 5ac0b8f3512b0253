import Raft

/// Makes a failing story short: leaves out nodes, faults and operations, and makes what is left simpler, as long as the same judge still
/// finds something wrong (delta debugging: Zeller and Hildebrandt, "Simplifying and isolating failure-inducing input", 2002).
public struct Shrinker {
  /// The shortest story so far that fails.
  public private(set) var story: Story
  /// What the judge finds in it.
  public private(set) var violation: Violation
  /// Runs so far, and how many there may be.
  public private(set) var runs = 0
  public let maximumRuns: Int

  private let judge: (Story) -> Violation?

  /// `nil` if the story does not fail.
  /// - Parameter judge: runs a story, and gives the first thing that was found wrong.
  public init?(_ story: Story, maximumRuns: Int = 5000, judge: @escaping (Story) -> Violation?) {
    guard let violation = judge(story) else { return nil }
    self.story = story
    self.violation = violation
    self.maximumRuns = maximumRuns
    self.judge = judge
  }

  /// Goes on until nothing more can be left out, or `maximumRuns` is reached. `progress` is called for each shorter story.
  public mutating func shrink(progress: (Shrinker) -> Void = { _ in }) {
    var before: Story?
    while before != story, runs < maximumRuns {
      before = story
      endEarly(progress)
      leaveOutNodes(progress)
      leaveOutSteps(progress)
      simplifySteps(progress)
      closeGaps(progress)
    }
  }

  /// Takes the candidate if the same judge still finds something.
  private mutating func take(_ candidate: Story, _ progress: (Shrinker) -> Void) -> Bool {
    guard candidate != story, runs < maximumRuns else { return false }
    runs += 1
    guard let found = judge(candidate), found.judge == violation.judge else { return false }
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
    candidate.end = (story.steps.last?.at ?? .zero) + 1
    _ = take(candidate, progress)
  }

  private mutating func leaveOutNodes(_ progress: (Shrinker) -> Void) {
    for name in story.names.reversed() where story.names.count > 1 {
      var candidate = story
      candidate.names.removeAll { $0 == name }
      candidate.core.removeAll { $0 == name }
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

  private mutating func simplifySteps(_ progress: (Shrinker) -> Void) {
    var candidate = story
    candidate.place = .lan
    _ = take(candidate, progress)
    for place in story.steps.indices {
      for action in story.steps[place].action.simpler {
        candidate = story
        candidate.steps[place].action = action
        _ = take(candidate, progress)
      }
    }
  }

  /// Lets later steps come sooner, so that the story has no empty stretches, and gives them round times.
  private mutating func closeGaps(_ progress: (Shrinker) -> Void) {
    for place in story.steps.indices {
      let before = place == 0 ? .zero : story.steps[place - 1].at
      let gap = story.steps[place].at - before
      for shorter in [gap / 10, gap / 2] where shorter >= .milliseconds(1) {
        var candidate = story
        let rounded = (before + shorter).nanoseconds / 1_000_000 * 1_000_000
        let shift = story.steps[place].at - max(before, Instant(nanoseconds: rounded))
        for later in place..<story.steps.count { candidate.steps[later].at = candidate.steps[later].at + -shift }
        candidate.end = max(candidate.steps.last?.at ?? .zero, candidate.end + -shift)
        if take(candidate, progress) { break }
      }
    }
  }
}

extension Story.Action {
  /// The nodes that it names.
  var names: [String] {
    switch self {
    case .operation(_, let name, _): [name]
    case .fault(let fault):
      switch fault.target {
      case .leader: [fault.other]
      case .node(let name): [name, fault.other]
      }
    }
  }

  /// Simpler things to try in its place.
  fileprivate var simpler: [Story.Action] {
    guard case .fault(let fault) = self else { return [] }
    var actions: [Story.Action] = []
    for duration in [Nanoseconds.milliseconds(100), .milliseconds(1000), fault.duration / 1_000_000 * 1_000_000]
    where duration < fault.duration {
      var shorter = fault
      shorter.duration = duration
      actions.append(.fault(shorter))
    }
    if fault.kind == .powerLoss || fault.kind == .totalPowerLoss {
      var milder = fault
      milder.kind = .crash
      actions.append(.fault(milder))
    }
    return actions
  }
}
