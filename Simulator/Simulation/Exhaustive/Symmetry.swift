import Raft

/// Who takes part in an exploration, and all the ways in which nodes and values could be called otherwise.
struct Symmetry: Sendable {
  let ids: [NodeID]
  let configuration: Configuration
  /// One for each way; in the first, all have their own names.
  let variants: [DigestNames]

  init(_ scope: Scope) {
    ids = (1...scope.nodes).map { NodeID(UInt64($0)) }
    configuration = Configuration(
      voters: ids.enumerated().map { number, id in
        let name = Exploration.name(number)
        return Member(id: id, name: name, peerAddress: name, clientAddress: name)
      })
    let nodeNames = scope.usesSymmetry ? Self.permutations(of: scope.nodes) : [Array(0..<scope.nodes)]
    let valueNames = scope.usesSymmetry && scope.budget.proposals > 0 ? Self.permutations(of: scope.values) : [Array(0..<scope.values)]
    variants = nodeNames.flatMap { nodes in valueNames.map { Self.names(nodes: nodes, values: $0) } }
  }

  /// The first is the identity.
  static func permutations(of count: Int) -> [[Int]] {
    guard count > 0 else { return [[]] }
    return permutations(of: count - 1).flatMap { shorter in
      (0..<count).map { place in
        var longer = shorter
        longer.insert(count - 1, at: count - 1 - place)
        return longer
      }
    }
  }

  private static func names(nodes: [Int], values: [Int]) -> DigestNames {
    DigestNames(
      node: { id in
        let number = Int(truncatingIfNeeded: id.rawValue) - 1
        return nodes.indices.contains(number) ? UInt64(nodes[number]) : id.rawValue
      },
      payload: { entry in
        guard entry.kind == .command, let byte = entry.payload.first, values.indices.contains(Int(byte) - 1) else { return 0 }
        return UInt64(values[Int(byte) - 1] + 1)
      })
  }
}

extension Scope.Opening {
  /// What each node finds on its disk.
  func disks(_ symmetry: Symmetry) -> [DurableState] {
    switch self {
    case .fresh, .led: symmetry.ids.map { _ in Self.disk(symmetry, terms: [1]) }
    case .figure8:
      [
        Self.disk(symmetry, terms: [1, 2], term: 3), Self.disk(symmetry, terms: [1], term: 3, vote: symmetry.ids.last),
        Self.disk(symmetry, terms: [1, 3], vote: symmetry.ids.last),
      ]
    case .diverged:
      [
        Self.disk(symmetry, terms: [1, 2, 2], term: 3), Self.disk(symmetry, terms: [1, 3], vote: symmetry.ids.last),
        Self.disk(symmetry, terms: [1, 3], vote: symmetry.ids.last, commit: 2),
      ]
    }
  }

  private static func disk(
    _ symmetry: Symmetry, terms: [Term], term: Term? = nil, vote: NodeID? = nil, commit: LogIndex = 1
  ) -> DurableState {
    let entries = terms.enumerated().map { offset, term in
      offset == 0
        ? Entry(index: 1, term: term, kind: .configuration, payload: symmetry.configuration.encoded()[...])
        : Entry(index: LogIndex(offset + 1), term: term, kind: .noop)
    }
    return DurableState(hardState: HardState(term: term ?? terms.last ?? 1, vote: vote), entries: entries, commit: commit)
  }
}
