import Raft

extension Story {
  /// The story as a text that can be replayed, with what came of each step as a comment beside it.
  /// - Parameter trace: of a run of this story. If it has forgotten anything, there are no comments.
  public func text(toldBy trace: Trace) -> String {
    guard trace.forgotten == 0 else { return text }
    var commentary = Commentary(trace)
    let comments = steps.map { commentary.comment(on: $0) }
    let lines = steps.map(Self.text)
    let width = lines.map(\.count).max() ?? 0
    return head
      + zip(lines, comments).map { line, comment in
        comment.isEmpty ? "\(line)\n" : "\(line)\(String(repeating: " ", count: width - line.count))  # \(comment)\n"
      }.joined()
  }
}

/// What came of each step: the steps and the events of a run are in the same order.
private struct Commentary {
  private let names: [String]
  private var asked: ArraySlice<(at: Instant, node: Int, request: UInt64, label: String)> = []
  private var faults: ArraySlice<(at: Instant, label: String, nodes: [Int])> = []
  private var answers: [UInt64: String] = [:]
  private let end: Instant

  init(_ trace: Trace) {
    names = trace.names
    end = trace.events.last?.at ?? .zero
    for (at, event) in trace.events {
      switch event {
      case .asked(let request, let node, let label): asked.append((at, node, request, label))
      case .answered(let request, let label, _): answers[request] = label
      case .faultBegan(_, let label, let nodes): faults.append((at, label, nodes))
      default: break
      }
    }
  }

  private static let mostCharacters = 90

  private static func line(_ text: String) -> String {
    let line = TraceText.clean(text)
    return line.count > mostCharacters ? line.prefix(mostCharacters) + "…" : line
  }

  mutating func comment(on step: Story.Step) -> String {
    switch step.action {
    case .operation(_, let name, _):
      asked = asked.drop { $0.at < step.at }
      guard let first = asked.first, first.at == step.at, names[first.node] == name else { return step.at > end ? "" : "\(name) is down" }
      asked.removeFirst()
      return Self.line("\(first.label): \(answers[first.request] ?? "never answered")")
    case .fault:
      faults = faults.drop { $0.at < step.at }
      guard let first = faults.first, first.at == step.at else { return step.at > end ? "" : "nobody to hurt" }
      faults.removeFirst()
      let hit = first.nodes.isEmpty ? "" : " (\(first.nodes.map { names[$0] }.joined(separator: ", ")))"
      return Self.line(first.label + hit)
    }
  }
}
