import ByteCoding
import Replica

/// The key-value store as replicated state: commands are encoded `Request`s, the answers those of etcd.
public struct KeyValueMachine: StateMachine {
  public typealias Output = Result<Response, KeyValueError>

  var state = KeyValueView()
  /// While a snapshot has come in part only.
  var restoration: Restoration?

  public init() {}

  public var view: KeyValueView { state }

  public mutating func apply(_ commands: [Command]) -> [Output] {
    var outputs: [Output] = []
    outputs.reserveCapacity(commands.count)
    for command in commands { outputs.append(apply(command.payload)) }
    return outputs
  }

  private mutating func apply(_ payload: Bytes) -> Output {
    // An incomplete state must answer nothing, rather than something wrong.
    guard restoration == nil else { return .failure(.malformed("snapshot: incomplete")) }
    guard payload.count <= Limits.requestBytes else { return .failure(.tooLarge) }
    do throws(MalformedBytes) {
      return state.perform(try Request(decoding: payload))
    } catch {
      return .failure(.malformed(error.what))
    }
  }
}
