import Raft
import Replica

/// What one run of the swarm is like: drawn from its seed, so that every run has its own mixture.
public struct SwarmPlan: Sendable {
  public let seed: UInt64
  public let names: [String]
  /// Frames between servers in one place, or between providers over the internet.
  public let isWide: Bool
  /// Faults per virtual second, in thousandths.
  public let faultsPerThousandSeconds: UInt64
  /// How likely each kind of fault is in this run; kinds that are left out make room for long stories of the others.
  public let weights: [(fault: Fault, weight: UInt64)]
  public let lossPerMille: UInt64
  public let duplicatesPerMille: UInt64
  public let keys: UInt64

  /// Virtual time of the phase with faults.
  public static let safetyPhase: Nanoseconds = .milliseconds(60_000)
  /// Within this much virtual time after the last fault the core must serve.
  public static let livenessPhase: Nanoseconds = .milliseconds(60_000)
  /// Client operations per virtual second.
  public static let operationsPerSecond: Int64 = 50

  public init(seed: UInt64) {
    var random = PseudoRandom(seed: seed)
    self.seed = seed
    let count = [1, 3, 3, 3, 3, 5, 5, 2][Int(random.below(8))]
    names = ["a", "b", "c", "d", "e"].prefix(count).map { $0 }
    isWide = random.below(4) == 0
    faultsPerThousandSeconds = 500 + random.below(1500)
    weights = Fault.allCases.map { ($0, random.below(4) == 0 ? 0 : 1 + random.below(8)) }
    lossPerMille = random.below(2) == 0 ? 0 : random.below(50)
    duplicatesPerMille = random.below(2) == 0 ? 0 : random.below(50)
    keys = 1 + random.below(8)
  }

  var settings: ReplicaSettings {
    var settings = ReplicaSettings()
    // Small, so that snapshots happen all the time.
    settings.snapshotAfterBytes = 8000
    settings.logKeptBytes = 2000
    if isWide {
      settings.raft.heartbeatInterval = .milliseconds(250)
      settings.raft.electionTimeout = .milliseconds(2500)
    }
    return settings
  }

  var network: SimulatedNetwork {
    var network = SimulatedNetwork()
    network.latency = isWide ? .milliseconds(10) ... .milliseconds(75) : 100_000 ... .milliseconds(5)
    network.lossPerMille = lossPerMille
    network.duplicatesPerMille = duplicatesPerMille
    return network
  }

  var syncLatency: ClosedRange<Nanoseconds> {
    isWide ? .milliseconds(5) ... .milliseconds(30) : 100_000 ... .milliseconds(3)
  }
}
