import ByteCoding
import Raft
import WriteAheadLog

/// What `ReplicaControl` wants done. All of it is for the owner of the replica; answers and snapshot work pass `ReplicaCore` on their way,
/// which adds the state that they are about.
@usableFromInline
struct ControlEffects {
  @usableFromInline
  enum Answer {
    case view(RequestID, index: LogIndex, staleness: Nanoseconds?)
    case answered(RequestID, Bytes)
    case done(RequestID)
    case failed(RequestID, RequestError)
  }

  /// `SnapshotWork`, without a view.
  @usableFromInline
  enum Work {
    case save(SnapshotDescriptor)
    case read(SnapshotDescriptor, number: Int, for: NodeID)
    case release(for: NodeID)
    case store(SnapshotDescriptor, number: Int, block: Bytes, last: Bool)
    case restore(SnapshotDescriptor)
    case removeOlder(than: SnapshotDescriptor)
  }

  @usableFromInline var identity: IdentityRecord?
  @usableFromInline var writes: [LogWrite] = []
  @usableFromInline var compact: LogIndex?
  @usableFromInline var logReads: [EntriesRequest] = []
  @usableFromInline var frames: [(to: Destination, lane: Lane, frame: [UInt8])] = []
  @usableFromInline var diagnostics: [Diagnostic] = []
  @usableFromInline var frameVerdict = FrameVerdict.unknown
  @usableFromInline var answers: [Answer] = []
  @usableFromInline var snapshots: [Work] = []
  @usableFromInline var deadline: Instant = .zero
  @usableFromInline var consensus: ConsensusState?

  @inlinable init() {}

  @inlinable var needsState: Bool { !answers.isEmpty || !snapshots.isEmpty }

  @inlinable
  mutating func removeAll() {
    identity = nil
    writes.clear()
    compact = nil
    logReads.clear()
    frames.clear()
    diagnostics.clear()
    answers.clear()
    snapshots.clear()
  }
}

extension ReplicaEffects {
  /// Completes what waits for the state, as it is now.
  @inlinable
  mutating func addState(of machine: Machine) {
    for answer in control.answers {
      switch answer {
      case .view(let id, let index, let staleness): replies.append(.view(id, machine.view, index: index, staleness: staleness))
      case .answered(let id, let answer): replies.append(.answered(id, answer))
      case .done(let id): replies.append(.done(id))
      case .failed(let id, let error): replies.append(.failed(id, error))
      }
    }
    for work in control.snapshots {
      switch work {
      case .save(let descriptor): snapshots.append(.save(descriptor, machine.view))
      case .read(let descriptor, let number, let peer): snapshots.append(.read(descriptor, number: number, for: peer))
      case .store(let descriptor, let number, let block, let last):
        snapshots.append(.store(descriptor, number: number, block: block, last: last))
      case .release(let peer): snapshots.append(.release(for: peer))
      case .restore(let descriptor): snapshots.append(.restore(descriptor))
      case .removeOlder(let descriptor): snapshots.append(.removeOlder(than: descriptor))
      }
    }
    control.answers.clear()
    control.snapshots.clear()
  }
}
