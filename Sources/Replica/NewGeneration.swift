import ByteCoding
import Raft
import WriteAheadLog

/// What a survivor goes on from, and what that may cost.
public struct NewGeneration: Sendable, Hashable {
  /// The cluster that lost its quorum; what an operator confirms.
  public let former: ClusterID
  /// The one that the survivor begins, alone.
  public let cluster: ClusterID
  public let node: NodeID
  /// The last entry of the survivor's log: what others acknowledged beyond it is lost.
  public let lastIndex: LogIndex
  /// So many of the last entries were not known to be committed. They are kept: some of them clients may have been told of, some not.
  public let unconfirmed: Int
}

/// Quorum lost for good: too few members are left to decide anything, and none will come back.
extension NodeStorage {
  /// Begins a new generation of the cluster from all that this directory holds, in an empty one: a cluster of this node alone, under an
  /// identity of its own, so that members of the old generation are refused, and refuse it. This directory stays as it is.
  ///
  /// Durable when it returns; after a failure, empty `fresh` and call it again.
  /// - Throws: `.refused` if this node belongs to no cluster, or `fresh` is not empty; else what `fresh` answers.
  public func beginNewGeneration(into fresh: Storage, info: PeerInfo, newborn: NodeID, options: LogOptions = LogOptions())
    throws(StorageError) -> NewGeneration
  {
    guard let recovered, let former = identity.cluster, let configuration = newestConfiguration else {
      throw .refused(what: "a new generation of a node that belongs to no cluster: start it to form or to join one")
    }
    guard recovered.last.index > 0 else {
      throw .refused(what: "a new generation of a node that has nothing of the log: choose another survivor")
    }
    guard try DataDirectory.load(fresh).identity == nil else {
      throw .refused(what: "a new generation in a directory that holds a node already: name an empty one")
    }
    let member = Member(id: newborn, name: identity.name, peerAddress: info.peerAddress, clientAddress: info.clientAddress)
    // Who was a member before is none, and never will be.
    let first = Configuration(voters: [member], removed: configuration.removed + configuration.members.map(\.id))
    let record = IdentityRecord(node: newborn, name: identity.name, phase: .formed(first))
    let last = recovered.last
    let descriptor = SnapshotDescriptor(position: last, configuration: first, configurationIndex: last.index)
    var files = SnapshotFiles<Machine, Storage>(disk: fresh, identity: record)
    if case .snapshotFailed(_, let text) = files.perform(.save(descriptor, try state(after: recovered)), cluster: first.digest) {
      throw .refused(what: "the first snapshot of a new generation: \(text)")
    }
    var log = LogFiles(disk: fresh, identity: record, options: options)
    // Whatever leader the old generation had, the new one begins in a later term.
    let term = max(recovered.hardState.term, last.term) + 1
    try log.append([LogWrite(sequence: 1, hardState: HardState(term: term), reset: last, entries: [], commit: last.index)])
    try log.sync()
    try log.save(record)
    log.close()
    return NewGeneration(
      former: former, cluster: first.digest, node: newborn, lastIndex: last.index,
      unconfirmed: Int(last.index - min(last.index, max(recovered.commit, recovered.start.index))))
  }

  private var newestConfiguration: Configuration? {
    let inLog = recovered?.entries.last { $0.kind == .configuration }.flatMap { try? Configuration(decoding: $0.payload) }
    return inLog ?? snapshot?.configuration ?? identity.phase.configuration
  }

  private func state(after recovered: DurableState) throws(StorageError) -> Machine.View {
    var machine = machine
    let commands = recovered.entries.compactMap { entry -> Command? in
      guard entry.kind == .command, let proposal = try? Proposal(decoding: entry.payload) else { return nil }
      return Command(index: entry.index, term: entry.term, payload: proposal.command)
    }
    if !commands.isEmpty { _ = machine.apply(commands) }
    return machine.view
  }
}
