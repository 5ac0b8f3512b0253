import Raft
import Replica

/// A run, written down before it happens: to replay it gives the same run, event for event; to leave parts of it out, a shorter one.
public struct Story: Sendable, Equatable {
  /// Where the servers stand.
  public enum Place: String, Sendable, CaseIterable {
    /// In one room: frames take up to 5 ms, syncs up to 3 ms.
    case lan
    /// With different providers: 20 to 150 ms with jitter, some loss, syncs of up to 30 ms with spikes of a second.
    case wan
  }

  public struct Step: Sendable, Equatable {
    public var at: Instant
    public var action: Action

    public init(at: Instant, _ action: Action) {
      self.at = at
      self.action = action
    }
  }

  public enum Action: Sendable, Equatable {
    /// A client asks the node for something; what it is, the workload draws from `number`.
    case operation(number: UInt64, on: String, timeout: Nanoseconds)
    case fault(Fault)
  }

  /// Decides whatever the steps leave open: how long frames and syncs take, which are lost, election timeouts.
  public var seed: UInt64
  public var place: Place
  public var names: [String]
  /// In order of time.
  public var steps: [Step]
  /// When the faults are over.
  public var end: Instant
  /// Who is healed then, at least a majority; the others stay broken.
  public var core: [String]

  public init(seed: UInt64, place: Place, names: [String], steps: [Step], end: Instant, core: [String]) {
    self.seed = seed
    self.place = place
    self.names = names
    self.steps = steps
    self.end = end
    self.core = core
  }
}

extension Story {
  /// What the nodes of this story are told: small bounds, so that snapshots happen all the time.
  var settings: ReplicaSettings {
    var settings = ReplicaSettings()
    settings.snapshotAfterBytes = 8000
    settings.logKeptBytes = 2000
    if place == .wan {
      settings.raft.heartbeatInterval = .milliseconds(250)
      settings.raft.electionTimeout = .milliseconds(2500)
    }
    return settings
  }
}
