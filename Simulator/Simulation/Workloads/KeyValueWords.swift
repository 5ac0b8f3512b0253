import KeyValue

/// What clients of the key-value store ask and are told, in a few words for people.
extension Workload where Machine == KeyValueMachine {
  public static func label(of output: KeyValueMachine.Output) -> String {
    switch output {
    case .success(let answer): KeyValueWords.text(of: answer)
    case .failure(let error): "refused: \(error)"
    }
  }

  /// What was looked for; the revision alone if that is unknown.
  public static func label(of view: KeyValueView, query: [UInt8]) -> String {
    guard let request = try? Request(decoding: query[...]) else { return "revision \(view.revision)" }
    return label(of: view.answer(request))
  }
}

enum KeyValueWords {
  /// `get key-1`, `put key-1 = v7`, `delete key-1`, `if key-1: put key-1 = v7`.
  static func text(of request: Request) -> String {
    switch request {
    case .range(let range): "get \(text(of: range.range))"
    case .put(let put): "put \(text(of: put.key)) = \(text(of: put.value))"
    case .delete(let delete): "delete \(text(of: delete.range))"
    case .transaction(let transaction):
      "if \(transaction.comparisons.map { text(of: $0.range) }.joined(separator: ", ")): "
        + transaction.success.map(text).joined(separator: ", ")
    }
  }

  static func text(of range: KeyRange) -> String {
    range == .all ? "all" : range.end.map { "\(text(of: range.start))..<\(text(of: $0))" } ?? text(of: range.start)
  }

  /// `revision 8` after a change; `3 pairs at 8`, `nothing at 8` without one; `yes, revision 8` or `no, key-1 = v7 at 8` of a comparison.
  static func text(of answer: Answer) -> String {
    let words = text(of: answer.response)
    guard answer.response.isChange else { return "\(words) at \(answer.revision)" }
    return (words.isEmpty ? "" : "\(words), ") + "revision \(answer.revision)"
  }

  private static func text(of response: Response) -> String {
    switch response {
    case .range(let range): range.pairs.count == 1 ? range.pairs.map(text)[0] : range.count == 0 ? "nothing" : "\(range.count) pairs"
    case .put(let previous): previous.map { "was \(text(of: $0.value))" } ?? ""
    case .delete(let count, let previous):
      previous.isEmpty ? "\(count) deleted" : "was \(previous.map { text(of: $0.value) }.joined(separator: ", "))"
    case .transaction(let succeeded, let responses):
      (responses.count > 2 ? ["\(responses.count) answers"] : responses.map(text).filter { !$0.isEmpty })
        .reduce(succeeded ? "yes" : "no") { "\($0), \($1)" }
    }
  }

  private static func text(of pair: KeyValuePair) -> String { "\(text(of: pair.key)) = \(text(of: pair.value))" }

  private static func text(of bytes: [UInt8]) -> String {
    String(decoding: bytes.prefix(24), as: UTF8.self) + (bytes.count > 24 ? "… (\(bytes.count) bytes)" : "")
  }
}
