import Raft

/// A trace as one HTML file that needs nothing else: a space-time diagram to look at, and to show to others.
///
/// The window is part of the address, so that a place in a run can be linked: `#at=1.2s` is the cursor, `&from=1s&to=1.4s` what is seen,
/// `&hide=heartbeats,messages,operations` what is not.
public struct TracePage: Sendable {
  /// Longer labels are cut.
  public static let maximumLabelCharacters = 500

  public let title: String
  /// Shown above the diagram: the seed, the checker, what was expected and seen. One that is called `replay` is a command to copy.
  public let facts: [(name: String, value: String)]
  public let trace: Trace

  public init(title: String, facts: [(name: String, value: String)], trace: Trace) {
    self.title = title
    self.facts = facts
    self.trace = trace
  }

  public var html: String {
    """
    <!DOCTYPE html>
    <html lang="en">
    <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="color-scheme" content="light dark">
    <meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'">
    <title>\(Self.escaped(title))</title>
    <style>
    \(Self.style)
    </style>
    </head>
    <body>
    <header>
    <p class="overline">Coracle &middot; a simulated run</p>
    <h1>\(Self.escaped(title))</h1>
    <dl>\(list)</dl>
    </header>
    \(Self.template)
    <footer>\(bounds)\(Self.keys)</footer>
    <script type="application/json" id="trace">\(TraceData(trace).json)</script>
    <script>
    \(Self.model)
    \(Self.drawing)
    \(Self.script)
    \(Self.controls)
    </script>
    </body>
    </html>

    """
  }

  private var bounds: String {
    guard trace.forgotten > 0 else { return "" }
    return """
      <p>A trace holds at most \(trace.limit) events. \(trace.forgotten) were forgotten, the oldest messages and progress first: before \
      \(TraceText.time(trace.detailedSince, wholes: 0)) s the diagram is incomplete.</p>
      """
  }

  /// Short facts stand beside each other; from the first long one on, each has a line.
  private var list: String {
    let long = facts.firstIndex { Self.isCommand($0.name) || $0.value.count > 40 } ?? facts.count
    return facts.enumerated().map { place, fact in
      let text = Self.escaped(fact.value)
      let shown = Self.isCommand(fact.name) ? "<code>\(text)</code> <button type=\"button\" class=\"copy\">Copy</button>" : text
      return "<div\(place < long ? "" : " class=\"wide\"")><dt>\(Self.escaped(fact.name))</dt><dd>\(shown)</dd></div>"
    }.joined(separator: "\n")
  }

  private static func isCommand(_ name: String) -> Bool { name.lowercased() == "replay" }

  /// Text that is text, wherever it stands in a page. Control characters are shown as their pictures.
  static func escaped(_ text: String) -> String {
    var escaped = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "&": escaped += "&amp;"
      case "<": escaped += "&lt;"
      case ">": escaped += "&gt;"
      case "\"": escaped += "&quot;"
      case "'": escaped += "&#39;"
      default: escaped.unicodeScalars.append(TraceData.picture(of: scalar))
      }
    }
    return escaped
  }
}
