import Raft
import Replica

/// What came of one run.
public struct RunReport: Sendable {
  public var seed: UInt64 = 0
  public var nodes = 0
  public var violations: [Violation] = []
  public var fingerprint: UInt64 = 0
  public var virtualTime: Nanoseconds = .zero
  public var events = 0
  /// Faults that happened, in the order of `Fault.Kind.allCases`; one that found nobody to hurt, or would have hurt too much, did not.
  public var faults = [Int](repeating: 0, count: Fault.Kind.allCases.count)
  /// Operations: asked; done; answered so that nobody knows; certainly not done. The others were never answered: their node had gone.
  public var asked = 0
  public var completed = 0
  public var unknown = 0
  public var refused = 0
  public var elections = 0
  public var snapshotsTaken = 0
  public var snapshotsInstalled = 0
  public var starts = 0
  public var committed = 0
  /// How many runs had a linearizability search that came to an end, and how many were given up.
  public var searches = (decided: 0, undecided: 0)
  /// What the workload counted itself, under names of its own.
  public var counted: [(name: String, count: Int)] = []
  /// Frames sent of each kind, by the number of the kind.
  public var frames = [Int](repeating: 0, count: 64)
  /// What of the code's own branches happened.
  public var coverage = Coverage()

  /// What happened, if it was asked for.
  public var trace: Trace?

  public init() {}

  public mutating func add(_ other: RunReport) {
    virtualTime += other.virtualTime
    events += other.events
    for kind in faults.indices { faults[kind] += other.faults[kind] }
    asked += other.asked
    completed += other.completed
    unknown += other.unknown
    refused += other.refused
    elections += other.elections
    snapshotsTaken += other.snapshotsTaken
    snapshotsInstalled += other.snapshotsInstalled
    starts += other.starts
    committed += other.committed
    searches.decided += other.searches.decided
    searches.undecided += other.searches.undecided
    for (name, count) in other.counted {
      if let place = counted.firstIndex(where: { $0.name == name }) {
        counted[place].count += count
      } else {
        counted.append((name, count))
      }
    }
    coverage.add(other.coverage)
    for kind in frames.indices { frames[kind] += other.frames[kind] }
  }

  /// The names of the kinds of frames that no node sent.
  public var framesNeverSent: [String] { FrameKind.allCases.filter { frames[Int($0.rawValue)] == 0 }.map(\.name) }

  /// The names of the faults that never happened.
  public var faultsNeverMet: [String] { zip(Fault.Kind.allCases, faults).filter { $1 == 0 }.map { $0.0.rawValue } }
}
