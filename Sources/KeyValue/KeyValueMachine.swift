import ByteCoding
import Replica

/// The key-value store as replicated state: commands are encoded `Request`s, the answers those of etcd.
public struct KeyValueMachine: StateMachine {
  public typealias Output = Result<Response, KeyValueError>

  var state = KeyValueView()
  /// What the leader counts: no part of the state, and in no snapshot.
  var leaseClock = LeaseClock()
  var historyClock = HistoryClock()

  public init() {}

  public init(restoring blocks: inout SnapshotBlocks) throws(MalformedBytes) { state = try KeyValueView(restoring: &blocks) }

  public var view: KeyValueView { state }

  public mutating func apply(_ commands: [Command]) -> [Output] {
    var outputs: [Output] = []
    outputs.reserveCapacity(commands.count)
    for command in commands {
      // Part of every command, so it goes on at the same pace on every node.
      state.forget()
      outputs.append(apply(command.payload, at: command.index))
    }
    return outputs
  }

  private mutating func apply(_ payload: Bytes, at index: UInt64) -> Output {
    guard payload.count <= Limits.requestBytes else { return .failure(.tooLarge) }
    do throws(MalformedBytes) {
      let (subject, request) = try Request.decode(payload)
      let output = state.perform(request, for: subject, at: index)
      if case .success = output { leaseClock.note(request, in: state.leases) }
      return output
    } catch {
      return .failure(.malformed(error.what))
    }
  }
}
