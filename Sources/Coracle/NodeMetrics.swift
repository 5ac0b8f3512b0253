import Budget
import Metrics

/// Why a frame to a peer was not sent.
enum DropReason: String, CaseIterable {
  case notConnected = "not_connected"
  /// The other side takes less than is sent.
  case backlog
  case tooLarge = "too_large"
  case tooManyPeers = "too_many_peers"
}

/// Why this node closed a connection to a peer.
enum CloseReason: String, CaseIterable {
  case oversizeFrame = "oversize_frame"
  case malformedFrame = "malformed_frame"
  /// All frames that are on their way would take too much.
  case noMemory = "no_memory"
  case stalled, idle
  /// No frame of a member came over it in time.
  case notAMember = "not_a_member"
  case tooManyConnections = "too_many_connections"
  /// TLS was not agreed on: no TLS was spoken, or too old a version, or no certificate was shown.
  case handshake
  case handshakeTime = "handshake_time"
  /// The certificate that was shown does not count here.
  case certificate
  /// A frame said that it was from another node than the certificate's.
  case forgedSender = "forged_sender"
  case failed
}

/// The runtime's own measurements: made once, updated without a look-up.
struct NodeMetrics: Sendable {
  let turns: Counter
  let elections: Counter
  let leader: Gauge
  /// 1 while this leader takes fewer commands than it could, for the sake of a follower that lags.
  let isSlowed: Gauge
  let pendingRequests: Gauge
  let pendingBytes: Gauge
  /// Refused at the door, before the replica saw them.
  let refused: Counter
  /// Log writes that shared one sync.
  let writesPerSync: Recorder
  let syncDuration: Timer
  /// Bytes of entries that are not durable yet.
  let logQueueBytes: Gauge
  /// What is reserved on each account of the memory budget, and how often more was refused, in the order of the accounts.
  private let memory: [(reserved: Gauge, refusals: Gauge)]
  private let budget: MemoryBudget
  private let drops: [DropReason: Counter]
  private let closes: [CloseReason: Counter]

  init(node: String, memory budget: MemoryBudget = MemoryBudget(bytes: 0)) {
    let dimensions = [("node", node)]
    self.budget = budget
    memory = budget.usage.map {
      let dimensions = dimensions + [("account", $0.name)]
      return (
        Gauge(label: "coracle_memory_reserved_bytes", dimensions: dimensions),
        Gauge(label: "coracle_memory_refusals", dimensions: dimensions)
      )
    }
    turns = Counter(label: "coracle_turns_total", dimensions: dimensions)
    elections = Counter(label: "coracle_elections_won_total", dimensions: dimensions)
    leader = Gauge(label: "coracle_is_leader", dimensions: dimensions)
    isSlowed = Gauge(label: "coracle_is_slowed_for_a_follower", dimensions: dimensions)
    pendingRequests = Gauge(label: "coracle_pending_requests", dimensions: dimensions)
    pendingBytes = Gauge(label: "coracle_pending_bytes", dimensions: dimensions)
    refused = Counter(label: "coracle_requests_refused_total", dimensions: dimensions)
    writesPerSync = Recorder(label: "coracle_log_writes_per_sync", dimensions: dimensions)
    syncDuration = Timer(label: "coracle_log_sync_seconds", dimensions: dimensions)
    logQueueBytes = Gauge(label: "coracle_log_queue_bytes", dimensions: dimensions)
    drops = DropReason.allCases.reduce(into: [:]) { table, reason in
      table[reason] = Counter(label: "coracle_peer_frames_dropped_total", dimensions: dimensions + [("reason", reason.rawValue)])
    }
    closes = CloseReason.allCases.reduce(into: [:]) { table, reason in
      table[reason] = Counter(label: "coracle_peer_connections_closed_total", dimensions: dimensions + [("reason", reason.rawValue)])
    }
  }

  func dropped(_ reason: DropReason) { drops[reason]?.increment() }

  func recordMemory() {
    for (gauges, usage) in zip(memory, budget.usage) {
      gauges.reserved.record(usage.reserved)
      gauges.refusals.record(usage.refusals)
    }
  }

  func closed(_ reason: CloseReason) { closes[reason]?.increment() }
}
