import Raft

/// What checkers compare of an entry: its term, and what it holds.
struct EntryMark: Hashable, Sendable {
  let term: Term
  /// 0 for a no-op, 255 for a configuration, else the value.
  let content: UInt8

  init(term: Term, content: UInt8) {
    self.term = term
    self.content = content
  }

  /// As in `3x`: the term, and `x` or `y` for a value; `3.` for a no-op, `1c` for the configuration.
  var text: String {
    let letter: String =
      switch content {
      case 0: "."
      case 255: "c"
      default: Exploration.value(content)
      }
    return "\(term)\(letter)"
  }

  init(_ entry: Entry) {
    term = entry.term
    switch entry.kind {
    case .noop: content = 0
    case .configuration: content = 255
    case .command: content = entry.payload.first ?? 254
    }
  }
}

/// What checkers, and the choice of the next step, look at in a node.
struct NodeSummary: Sendable, Equatable {
  var role: RaftCore.Role = .follower
  var term: Term = 1
  var commit: LogIndex = 0
  /// The log in memory, from index 1 on.
  var log: [EntryMark] = []
  /// The log that survives a loss of power.
  var durable: [EntryMark] = []
  /// Writes are under way.
  var hasUnsynced = false
  /// The oldest of them brings both a hard state and entries.
  var canCrashWithinWrite = false

  init() {}

  init(_ node: ExploredNode) {
    role = node.raft.role
    term = node.raft.term
    commit = node.raft.commitIndex
    log = node.raft.keptEntries.map(EntryMark.init)
    durable = node.disk.entries.map(EntryMark.init)
    hasUnsynced = !node.unsynced.isEmpty
    canCrashWithinWrite = node.unsynced.first.map { $0.hardState != nil && !$0.entries.isEmpty } ?? false
  }

  var leads: Bool { role == .leader }

  /// How a voter compares logs: the paper, section 5.4.1.
  func isAtLeastAsUpToDate(as other: NodeSummary) -> Bool {
    (log.last?.term ?? 0, log.count) >= (other.log.last?.term ?? 0, other.log.count)
  }
}
