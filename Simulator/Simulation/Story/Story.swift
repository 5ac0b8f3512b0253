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

  /// What the run is like apart from its faults: how much there is of everything.
  public struct Scale: Sendable, Equatable {
    /// Keys that clients use, from 1 on; few, so that they meet, or many, so that the store has some depth.
    public var keys: UInt64 = 6
    /// Bytes of a value; large ones make snapshots of several blocks.
    public var valueBytes = 0
    /// Whether queues, windows and messages are so small that their bounds are reached all the time.
    public var hasTightBounds = false
    /// Whether the log is cut right behind each snapshot, so that whoever is behind needs one.
    public var keepsLittle = false
    /// A snapshot is taken after so many bytes of the log, or after eight of the values, if that is more.
    public var snapshotBytes = usualSnapshotBytes
    /// Nodes are started for the first time within this time.
    public var starts: Nanoseconds = .zero

    /// Now and then a node is busy for up to so long, and takes what came meanwhile in one turn; 0 if each event is a turn of its own.
    public var longestTurn: Nanoseconds = .zero
    /// Draws bounds that are as good as never reached otherwise: see `Story+Limits.swift`; 0 if all are what they are in production.
    public var limits: UInt64 = 0
    /// Kilobytes per second that every link carries; 0 for no limit.
    public var linkKilobytes: Int64 = 0
    /// Whether frames of one link keep their order, as over one connection, or overtake each other.
    public var linksKeepOrder = false

    public init() {}
  }

  public static let maximumKeys: UInt64 = 10_000
  public static let maximumValueBytes = 1 << 20
  public static let usualSnapshotBytes = 8000
  public static let maximumSnapshotBytes = 1 << 30
  public static let maximumLinkKilobytes: Int64 = 10_000_000

  /// Decides whatever the steps leave open: how long frames and syncs take, which are lost, election timeouts.
  public var seed: UInt64
  public var place: Place
  public var names: [String]
  /// Those of them that do not form the cluster, and may join it later. Empty in a story whose members stay.
  public var joining: [String] = []
  public var scale: Scale
  /// In order of time.
  public var steps: [Step]
  /// When the faults are over.
  public var end: Instant
  /// Who is healed then, at least a majority; the others stay broken.
  public var core: [String]

  public init(
    seed: UInt64, place: Place, names: [String], scale: Scale = Scale(), steps: [Step], end: Instant, core: [String]
  ) {
    self.seed = seed
    self.place = place
    self.names = names
    self.scale = scale
    self.steps = steps
    self.end = end
    self.core = core
  }
}

extension Story {
  /// Those that form the cluster.
  public var founders: [String] { names.filter { !joining.contains($0) } }
  /// Whether members come and go.
  public var changesMembers: Bool { !joining.isEmpty }
  /// Whether others than members talk to the nodes, so that these show each other certificates.
  var hasIntruders: Bool { steps.contains { if case .fault(let fault) = $0.action { fault.kind == .intrusion } else { false } } }

  /// What the nodes of this story are told: small bounds, so that snapshots happen all the time.
  var settings: ReplicaSettings {
    var settings = ReplicaSettings()
    settings.snapshotAfterBytes = max(scale.snapshotBytes, 8 * scale.valueBytes)
    settings.logKeptBytes = scale.keepsLittle ? 0 : settings.snapshotAfterBytes / 4
    // So little that whoever lags is sent entries from the disk.
    settings.logMemoryBytes = settings.snapshotAfterBytes / (scale.keepsLittle ? 8 : 2)
    settings.snapshotWindowBytes = scale.keepsLittle ? 1 : settings.snapshotWindowBytes
    if scale.hasTightBounds {
      settings.raft.maximumAppendBytes = 200
      settings.raft.maximumInflightMessages = 3
      settings.raft.maximumInflightBytes = 1500
      settings.raft.maximumUncommittedBytes = 3000
      settings.maximumPendingRequests = 24
      settings.maximumPendingBytes = max(4000, 4 * scale.valueBytes)
      settings.maximumCommandSize = 2000 + 3 * scale.valueBytes
    }
    drawLimits(of: &settings)
    if place == .wan {
      settings.raft.heartbeatInterval = .milliseconds(250)
      settings.raft.electionTimeout = .milliseconds(2500)
      settings.raft.diskStallTimeout = .milliseconds(5000)
    }
    return settings
  }
}
