import Raft

/// A trace as lines to read: the time in seconds, the node, and what happened. Heartbeats are counted, not told.
public struct TraceText: Sendable {
  private struct Line {
    /// The place of its event in the trace.
    let index: Int
    let at: Instant
    /// Nil for what concerns no single node.
    let node: Int?
    let text: String
  }

  /// What runs on at a node, and is told in one line when something else comes.
  private struct Fold {
    var heartbeats = 0
    var lost = 0
    var lastHeartbeat = 0
    var progress: (index: Int, text: String)?
    /// What was told last.
    var toldProgress = ""
  }

  private let trace: Trace
  private var lines: [Line] = []

  // What later events refer to.
  private var sentMessages: [Int: (from: Int, to: Int, label: String, term: Term)] = [:]
  private var faults: [Int: String] = [:]
  private var requests: [UInt64: (node: Int, at: Instant)] = [:]
  private var folds: [Fold]

  public init(_ trace: Trace) {
    self.trace = trace
    folds = trace.names.map { _ in Fold() }
    for index in trace.events.indices { tell(index) }
    for node in trace.names.indices { unfold(node) }
    lines.sort { $0.index < $1.index }
  }

  /// All of it: for a short run.
  public var story: String { text(of: lines, omitted: 0) }

  /// How many lines `story` has.
  public var lineCount: Int { lines.count }

  /// The last lines of each node, at most `count` of each; and what concerned them all in that time.
  public func ends(_ count: Int) -> String {
    var left = trace.names.map { _ in max(0, count) }
    var kept: [Line] = []
    for line in lines.reversed() {
      if let node = line.node {
        if left.allSatisfy({ $0 == 0 }) { break }
        guard left[node] > 0 else { continue }
        left[node] -= 1
      }
      kept.append(line)
    }
    return text(of: kept.reversed(), omitted: lines.count - kept.count)
  }

  // MARK: Columns

  private func text(of lines: [Line], omitted: Int) -> String {
    let wholes = String((lines.last?.at.nanoseconds ?? 0) / 1_000_000_000).count
    let names = trace.names.map(Self.clean)
    let width = names.map(\.count).max() ?? 0
    var text = ""
    if trace.forgotten > 0 {
      text += "(\(trace.forgotten) events forgotten: incomplete before \(Self.time(trace.detailedSince, wholes: 0)) s)\n"
    }
    if omitted > 0 { text += "(\(omitted) lines left out)\n" }
    for line in lines {
      let name = line.node.map { names[$0] } ?? ""
      let gap = String(repeating: " ", count: width - name.count)
      text += "\(Self.time(line.at, wholes: wholes))  \(name)\(gap)  \(line.text)\n"
    }
    return text
  }

  /// Seconds with six places, the whole seconds padded.
  static func time(_ instant: Instant, wholes: Int) -> String {
    let microseconds = instant.nanoseconds / 1000
    let (seconds, rest) = microseconds.quotientAndRemainder(dividingBy: 1_000_000)
    return pad(String(seconds), to: wholes, with: " ") + "." + pad(String(rest.magnitude), to: 6, with: "0")
  }

  /// `3.799 s`, `1.25 ms`, `40 µs`.
  public static func lasting(_ duration: Nanoseconds) -> String {
    let (unit, name): (Nanoseconds, String) =
      duration >= .seconds(1) ? (.seconds(1), "s") : duration >= .milliseconds(1) ? (.milliseconds(1), "ms") : (.microseconds(1), "µs")
    var decimals = name == "µs" ? "" : pad(String(duration % unit / (unit / 1000)), to: 3, with: "0")
    while decimals.hasSuffix("0") { decimals.removeLast() }
    return "\(duration / unit)\(decimals.isEmpty ? "" : ".\(decimals)") \(name)"
  }

  private static func pad(_ text: String, to width: Int, with filler: Character) -> String {
    String(repeating: filler, count: max(0, width - text.count)) + text
  }

  /// Labels come from anywhere: a line stays a line.
  static func clean(_ text: String) -> String {
    if text.utf8.allSatisfy({ (0x20..<0x7F).contains($0) }) { return text }
    return String(String.UnicodeScalarView(text.unicodeScalars.map { breaksLine($0) ? " " : $0 }))
  }

  private static func breaksLine(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.properties.generalCategory {
    case .control, .lineSeparator, .paragraphSeparator: true
    default: false
    }
  }

  // MARK: Events

  private mutating func say(_ index: Int, _ node: Int?, _ text: String) {
    if let node { unfold(node) }
    lines.append(Line(index: index, at: trace.events[index].at, node: node, text: Self.clean(text)))
  }

  private mutating func unfold(_ node: Int) {
    let fold = folds[node]
    folds[node] = Fold(toldProgress: fold.progress?.text ?? fold.toldProgress)
    if fold.heartbeats > 0 {
      let lost = fold.lost > 0 ? ", \(fold.lost) of them lost" : ""
      append(fold.lastHeartbeat, node, "… \(fold.heartbeats) heartbeat\(fold.heartbeats == 1 ? "" : "s")\(lost)")
    }
    if let progress = fold.progress, progress.text != fold.toldProgress { append(progress.index, node, progress.text) }
  }

  private mutating func append(_ index: Int, _ node: Int, _ text: String) {
    lines.append(Line(index: index, at: trace.events[index].at, node: node, text: text))
  }

  private mutating func tell(_ index: Int) {
    switch trace.events[index].event {
    case .started(let node): say(index, node, "starts")
    case .ended(let node, let how): say(index, node, "ends: \(how)")
    case .paused(let node): say(index, node, "is paused")
    case .resumed(let node): say(index, node, "resumes")
    case .role(let node, let role, let term): say(index, node, "\(role.rawValue) in term \(term)")
    case .progress(let node, let last, let durable, let commit, let applied):
      folds[node].progress = (index, "log to \(last), durable \(durable), commit \(commit), applied \(applied)")
    case .sent(let message, let from, let to, let label, let term):
      sentMessages[message] = (from, to, label, term)
      tellMessage(index, message, at: from, "→ \(trace.names[to])")
    case .arrived(let message):
      guard let sent = sentMessages[message] else { return }
      tellMessage(index, message, at: sent.to, "← \(trace.names[sent.from])")
    case .lost(let message, let why): tellLoss(index, message, why)
    case .asked(let request, let node, let label):
      requests[request] = (node, trace.events[index].at)
      say(index, node, "asked \(request): \(label)")
    case .answered(let request, let label, let good): tellAnswer(index, request, label, good)
    case .note(let node, let text): say(index, node, text)
    case .faultBegan, .faultEnded, .phase, .violation: tellOfAll(index)
    }
  }

  private mutating func tellOfAll(_ index: Int) {
    switch trace.events[index].event {
    case .faultBegan(let fault, let label, let nodes):
      let concerned = nodes.isEmpty ? "" : " (\(nodes.map { trace.names[$0] }.joined(separator: ", ")))"
      faults[fault] = label
      say(index, nil, "fault \(fault) begins: \(label)\(concerned)")
    case .faultEnded(let fault): say(index, nil, "fault \(fault) ends\(faults[fault].map { ": \($0)" } ?? "")")
    case .phase(let name): say(index, nil, "— \(name) —")
    case .violation(let checker, let text): say(index, nil, "VIOLATION of \(checker): \(text)")
    default: break
    }
  }

  private mutating func tellMessage(_ index: Int, _ message: Int, at node: Int, _ direction: String) {
    guard let sent = sentMessages[message] else { return }
    if Trace.MessageKind(label: sent.label) == .heartbeat {
      folds[node].heartbeats += 1
      folds[node].lastHeartbeat = index
    } else if !isLostAtOnce(index, message) {
      say(index, node, "\(direction)  \(Self.inTerm(sent.label, sent.term))")
    }
  }

  /// Some messages name no term.
  private static func inTerm(_ label: String, _ term: Term) -> String { term == 0 ? label : "\(label), term \(term)" }

  /// Then the loss says it all.
  private func isLostAtOnce(_ index: Int, _ message: Int) -> Bool {
    guard trace.events.indices.contains(index + 1), case .lost(message, _) = trace.events[index + 1].event else { return false }
    return trace.events[index].at == trace.events[index + 1].at
  }

  private mutating func tellLoss(_ index: Int, _ message: Int, _ why: String) {
    guard let sent = sentMessages[message] else { return }
    if Trace.MessageKind(label: sent.label) == .heartbeat {
      folds[sent.from].lost += 1
      folds[sent.from].heartbeats = max(folds[sent.from].heartbeats, folds[sent.from].lost)
      folds[sent.from].lastHeartbeat = index
    } else {
      say(index, sent.from, "✕ \(trace.names[sent.to])  \(Self.inTerm(sent.label, sent.term)), is lost: \(why)")
    }
  }

  private mutating func tellAnswer(_ index: Int, _ request: UInt64, _ label: String, _ good: Bool) {
    let asked = requests[request]
    let took = asked.map { ", after \(Self.lasting(trace.events[index].at - $0.at))" } ?? ""
    say(index, asked?.node, "\(good ? "answers" : "fails") \(request): \(label)\(took)")
  }
}
