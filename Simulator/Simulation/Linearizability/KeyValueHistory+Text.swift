import KeyValue
import Raft

extension KeyValueHistory.Record: CustomStringConvertible {
  /// `#12 get "k": "v", 1203.250 to 1207.500 ms`
  var description: String {
    let outcome = answer.map { text($0.result) } ?? "outcome unknown"
    let end = answer == nil ? "" : " to \(end.map { text($0.at) } ?? "")"
    return "#\(id) \(text(request)): \(outcome), \(text(called))\(end) ms"
  }
}

/// Quoted if it can be read, else in hexadecimal digits.
func text(_ bytes: [UInt8]) -> String {
  if bytes.allSatisfy({ (0x20..<0x7f).contains($0) }) { return "\"\(String(decoding: bytes, as: UTF8.self))\"" }
  return "0x" + bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
}

/// In milliseconds, to the microsecond.
private func text(_ instant: Instant) -> String {
  let microseconds = instant.nanoseconds / 1000
  let fraction = String(1000 + abs(microseconds % 1000)).dropFirst()
  return "\(microseconds / 1000).\(fraction)"
}

private func text(_ range: KeyRange) -> String {
  guard let end = range.end else { return text(range.start) }
  return end == [0] ? "from \(text(range.start))" : "\(text(range.start)) to \(text(end))"
}

private func text(_ request: Request) -> String {
  switch request {
  case .range(let request): return "get \(text(request.range))"
  case .put(let request): return "put \(text(request.key)) = \(request.ignoreValue ? "what it is" : text(request.value))"
  case .delete(let request): return "delete \(text(request.range))"
  case .transaction(let request):
    let comparisons = request.comparisons.map { text($0) }.joined(separator: ", ")
    let success = request.success.map { text($0) }.joined(separator: ", ")
    let failure = request.failure.map { text($0) }.joined(separator: ", ")
    return "if {\(comparisons)} then {\(success)} else {\(failure)}"
  case .compaction(let request): return "compact at \(request.revision)"
  case .settings, .leaseGrant, .leaseRevoke, .leaseExpiry, .leases, .lease, .access, .record, .onBehalf:
    return KeyValueWords.text(of: request)
  }
}

private func text(_ comparison: Comparison) -> String {
  let relation =
    switch comparison.relation {
    case .equal: "="
    case .notEqual: "!="
    case .greater: ">"
    case .less: "<"
    }
  let operand =
    switch comparison.operand {
    case .version(let number): "version \(relation) \(number)"
    case .createRevision(let number): "createRevision \(relation) \(number)"
    case .modRevision(let number): "modRevision \(relation) \(number)"
    case .lease(let number): "lease \(relation) \(number)"
    case .value(let value): "value \(relation) \(text(value))"
    }
  return "\(text(comparison.range)): \(operand)"
}

private func text(_ response: OperationResult) -> String {
  switch response {
  case .range(let response): return text(response.pairs, of: response.count)
  case .put(let previous): return previous.map { "done, before \(text($0.value))" } ?? "done"
  case .delete(let count, let previous): return "\(count) deleted" + (previous.isEmpty ? "" : ", before \(text(previous, of: count))")
  case .transaction(let succeeded, let responses):
    return "\(succeeded ? "then" : "else") {\(responses.map { text($0) }.joined(separator: ", "))}"
  case .done, .leaseGranted, .leaseRevoked, .leases, .lease: return KeyValueWords.text(of: response)
  }
}

private func text(_ pairs: [KeyValuePair], of count: Int64) -> String {
  let shown = pairs.map { "\(text($0.key)) = \(text($0.value))" }.joined(separator: ", ")
  return count == pairs.count ? "{\(shown)}" : "{\(shown)} of \(count)"
}
