import ByteCoding
import Replica

/// The key-value store as replicated state: commands are encoded `Request`s, the answers those of etcd.
public struct KeyValueMachine: StateMachine {
  public typealias Output = Result<Response, KeyValueError>

  var state = KeyValueView()

  public init() {}

  public init(restoring blocks: inout SnapshotBlocks) throws(MalformedBytes) { state = try KeyValueView(restoring: &blocks) }

  public var view: KeyValueView { state }

  public mutating func apply(_ commands: [Command]) -> [Output] {
    var outputs: [Output] = []
    outputs.reserveCapacity(commands.count)
    for command in commands { outputs.append(apply(command.payload)) }
    return outputs
  }

  private mutating func apply(_ payload: Bytes) -> Output {
    guard payload.count <= Limits.requestBytes else { return .failure(.tooLarge) }
    do throws(MalformedBytes) {
      return state.perform(try Request(decoding: payload))
    } catch {
      return .failure(.malformed(error.what))
    }
  }
}
