import Raft

/// A directed run with a name and a story: a short program that says what is done to a cluster, and what is expected of it.
///
/// Timing varies with the seed; what is expected holds for every one. The same seed gives the same run.
public struct Scenario: Sendable {
  /// As the command line takes it: `head-split`.
  public let name: String
  /// One line: what is at stake.
  public let summary: String
  /// What happened to others, and what has to happen here: prose, for people.
  public let story: String
  let names: [String]
  let program: @Sendable (Stage) throws(ScenarioFailure) -> Void

  /// `names` are the servers of the world in which it begins; `program` may change the world.
  public init(
    _ name: String, _ summary: String, story: String, servers names: [String] = ["a", "b", "c"],
    program: @escaping @Sendable (Stage) throws(ScenarioFailure) -> Void
  ) {
    self.name = name
    self.summary = summary
    self.story = story
    self.names = names
    self.program = program
  }

  /// What one run came to.
  public struct Report: Sendable {
    public let scenario: String
    public let seed: UInt64
    /// `nil` if everything went as expected, and no checker found anything.
    public let failure: ScenarioFailure?
    /// What was done, a line for each step, with its virtual time.
    public let transcript: [String]
    /// Equal if and only if two runs are the same, event for event.
    public let fingerprint: UInt64
    /// What happened in each of its worlds, if that was asked for: the steps are phases.
    public let traces: [Trace]
  }

  /// `tracing` says whether the report has traces; the run is the same without.
  public func run(seed: UInt64, tracing: Bool = false) -> Report {
    let stage = Stage(names: names, seed: seed, tracing: tracing)
    var failure: ScenarioFailure?
    do throws(ScenarioFailure) {
      try program(stage)
      try stage.endWorld()
    } catch {
      failure = error
    }
    if let failure {
      stage.cluster.trace?.add(.violation(checker: "scenario", "expected \(failure.expected); seen: \(failure.seen)"), at: failure.at)
    }
    return Report(
      scenario: name, seed: seed, failure: failure, transcript: stage.transcript, fingerprint: stage.fingerprint, traces: stage.traces)
  }
}

/// A scenario went otherwise than its program says.
public struct ScenarioFailure: Error, Hashable, Sendable, CustomStringConvertible {
  /// In the virtual time of the scenario's present world.
  public let at: Instant
  public let expected: String
  public let seen: String

  public var description: String { "at \(at.inMilliseconds): expected \(expected); seen: \(seen)" }
}

extension Instant {
  /// As a transcript shows it: `1204.7 ms`.
  var inMilliseconds: String { (self - .zero).inMilliseconds }
}

extension Nanoseconds {
  var inMilliseconds: String { "\(self / .milliseconds(1)).\(self % .milliseconds(1) / .microseconds(100)) ms" }
}
