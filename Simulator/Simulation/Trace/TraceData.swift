import Raft

/// A trace as JSON that may stand in a `<script>`: `{"names", "labels", "complete", "events": [[nanoseconds since the last, "kind", ...],
/// ...]}`. Before the instant `complete`, in nanoseconds, messages and progress were forgotten; it is 0 if none were.
/// Labels are numbers of `labels`; a kind's other fields are those of `Trace.Event`, in order; a message has its kind as its last.
struct TraceData {
  let json: String

  private var labels: [String] = []
  private var numbers: [String: Int] = [:]

  init(_ trace: Trace) {
    var writer = Self(json: "")
    var rows = ""
    var last: Int64 = 0
    for (at, event) in trace.events {
      let now = min(at.nanoseconds, Self.maximumInteger)
      rows += "\(rows.isEmpty ? "" : ",\n")[\(now - last),\(writer.fields(of: event))]"
      last = now
    }
    let complete = min(trace.detailedSince.nanoseconds, Self.maximumInteger)
    let names = trace.names.map(Self.quoted).joined(separator: ",")
    let labels = writer.labels.map(Self.quoted).joined(separator: ",")
    json = "{\"names\":[\(names)],\"labels\":[\(labels)],\"complete\":\(complete),\"events\":[\n\(rows)]}"
  }

  private init(json: String) { self.json = json }

  private mutating func fields(of event: Trace.Event) -> String {
    switch event {
    case .started(let node): "\"started\",\(node)"
    case .ended(let node, let how): "\"ended\",\(node),\(number(of: how))"
    case .paused(let node): "\"paused\",\(node)"
    case .resumed(let node): "\"resumed\",\(node)"
    case .role(let node, let role, let term): "\"role\",\(node),\"\(role.rawValue)\",\(Self.exact(term))"
    case .progress(let node, let last, let durable, let commit, let applied):
      "\"progress\",\(node),\(Self.exact(last)),\(Self.exact(durable)),\(Self.exact(commit)),\(Self.exact(applied))"
    case .sent(let message, let from, let to, let label, let term):
      "\"sent\",\(message),\(from),\(to),\(number(of: label)),\(Self.exact(term)),\"\(Trace.MessageKind(label: label).rawValue)\""
    case .arrived(let message): "\"arrived\",\(message)"
    case .lost(let message, let why): "\"lost\",\(message),\(number(of: why))"
    case .faultBegan(let fault, let label, let nodes):
      "\"faultBegan\",\(fault),\(number(of: label)),[\(nodes.map(String.init).joined(separator: ","))]"
    case .faultEnded(let fault): "\"faultEnded\",\(fault)"
    case .asked(let request, let node, let label): "\"asked\",\(Self.exact(request)),\(node),\(number(of: label))"
    case .answered(let request, let label, let good): "\"answered\",\(Self.exact(request)),\(number(of: label)),\(good)"
    case .note(let node, let text): "\"note\",\(node),\(number(of: text))"
    case .phase(let name): "\"phase\",\(number(of: name))"
    case .violation(let checker, let text): "\"violation\",\(number(of: checker)),\(number(of: text))"
    }
  }

  private mutating func number(of label: String) -> Int {
    if let number = numbers[label] { return number }
    let isLong = label.utf8.count > TracePage.maximumLabelCharacters
    numbers[label] = labels.count
    labels.append(isLong && label.count > TracePage.maximumLabelCharacters ? label.prefix(TracePage.maximumLabelCharacters) + "…" : label)
    return labels.count - 1
  }

  // MARK: JSON

  /// A browser's numbers are exact up to here.
  private static let maximumInteger: Int64 = 1 << 53 - 1

  private static func exact(_ number: UInt64) -> String { number <= maximumInteger ? "\(number)" : "\"\(number)\"" }

  /// Nothing in it ends a script, begins a comment or is a control character.
  static func quoted(_ text: String) -> String {
    var quoted = "\""
    for scalar in text.unicodeScalars.map(picture) {
      switch scalar {
      case "\"", "\\": quoted += "\\\(scalar)"
      case "<", ">", "&", "\n", "\t", "\u{2028}", "\u{2029}":
        let digits = String(scalar.value, radix: 16)
        quoted += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: quoted.unicodeScalars.append(scalar)
      }
    }
    return quoted + "\""
  }

  /// Control characters have pictures in Unicode; the rarer ones, and those that turn the direction of text, have one in common.
  static func picture(of scalar: Unicode.Scalar) -> Unicode.Scalar {
    switch scalar.value {
    case 0x09, 0x0A: scalar
    case 0..<0x20: Unicode.Scalar(0x2400 + scalar.value) ?? "\u{FFFD}"
    case 0x7F: "\u{2421}"
    case 0x80..<0xA0, 0x202A...0x202E, 0x2066...0x2069: "\u{FFFD}"
    default: scalar
    }
  }
}
