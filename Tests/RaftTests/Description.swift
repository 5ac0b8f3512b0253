import ByteCoding

@testable import Raft

/// How scripts show what the core says: short, in the words of the paper.
enum Description {
  static func name(_ node: NodeID?) -> String {
    guard let node else { return "nobody" }
    return String(UnicodeScalar(UInt8(96 + node.rawValue)))
  }

  static func message(_ message: Message) -> String {
    "\(name(message.from)) -> \(name(message.to))  term \(message.term): \(body(message.body))"
  }

  static func position(_ position: LogPosition) -> String { "\(position.index)/\(position.term)" }

  static func entry(_ entry: Entry) -> String {
    switch entry.kind {
    case .noop: "\(position(entry.position)) no-op"
    case .configuration: "\(position(entry.position)) configuration"
    case .command: "\(position(entry.position)) \"\(text(entry.payload))\""
    }
  }

  static func text(_ bytes: Bytes) -> String { String(decoding: bytes, as: UTF8.self) }

  static func write(_ write: LogWrite) -> String {
    var parts: [String] = []
    if let state = write.hardState { parts.append("term \(state.term), vote \(name(state.vote))") }
    if let reset = write.reset { parts.append("nothing before \(position(reset))") }
    if !write.entries.isEmpty { parts.append(write.entries.map(entry).joined(separator: ", ")) }
    return parts.joined(separator: "; ")
  }

  private static func body(_ body: Message.Body) -> String {
    switch body {
    case .preVoteRequest(let last): "pre-vote? log ends at \(position(last))"
    case .preVoteResponse(let granted): granted ? "pre-vote yes" : "pre-vote no"
    case .voteRequest(let last): "vote? log ends at \(position(last))"
    case .voteResponse(let granted): granted ? "vote yes" : "vote no"
    case .append(let previous, let entries, let commit):
      "append after \(position(previous)) [\(entries.map(entry).joined(separator: ", "))] commit \(commit)"
    case .appendAccepted(let match): "accepted through \(match)"
    case .appendRejected(let previous, let hint): "rejected at \(previous), perhaps \(position(hint))"
    case .heartbeat(let round, let commit, let confirmed): "heartbeat \(round), commit \(commit), confirmed \(confirmed)"
    case .heartbeatResponse(let round, let confirmed, let received, let match):
      "heartbeat answer \(round), received \(received), confirmed \(confirmed), durable \(match)"
    case .commit(let index): "commit \(index)"
    case .snapshotBlock(let descriptor, let number, _, let last, _):
      "block \(number)\(last ? ", the last," : "") of snapshot \(position(descriptor.position))"
    case .snapshotProgress(let position, let next): "wants block \(next) of snapshot \(Self.position(position))"
    case .readRequest(let id): "read \(id)?"
    case .readResponse(let id, let index): "read \(id) at \(index)"
    case .proposals(let stream, let sequence, let payloads):
      "proposals \(stream)-\(sequence) \(payloads.map { "\"\(text($0))\"" }.joined(separator: " "))"
    case .proposalsRefused(let stream, let sequence): "proposals \(stream)-\(sequence) refused"
    case .removed: "you are no member any more"
    case .timeoutNow: "stand now"
    case .transferVoteRequest(let last): "vote, I was told to stand? log ends at \(position(last))"
    case .outdated: "your term is outdated"
    }
  }
}
