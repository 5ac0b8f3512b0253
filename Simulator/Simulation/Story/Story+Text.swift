import Raft

/// A story as a file that one can read, edit and replay: a line for each step, `#` begins a comment.
extension Story {
  public var text: String { head + steps.map { "\(Self.text($0))\n" }.joined() }

  /// All but the steps.
  var head: String {
    let log = scale.keepsLittle ? "short" : "usual"
    let bounds = scale.hasTightBounds ? "tight" : "usual"
    var lines = [
      "coracle story 1", "seed \(seed)", "place \(place.rawValue)", "nodes \(names.joined(separator: " "))",
      "keys \(scale.keys)", "values \(scale.valueBytes)", "bounds \(bounds)",
      "log \(log)", "snapshots \(scale.snapshotBytes)", "starts \(Self.text(scale.starts))",
    ]
    // What most stories leave as it is.
    if changesMembers { lines.append("joining \(joining.joined(separator: " "))") }
    if scale.longestTurn != .zero { lines.append("turns \(Self.text(scale.longestTurn))") }
    if scale.limits != 0 { lines.append("limits \(scale.limits)") }
    if scale.linkKilobytes != 0 { lines.append("links \(scale.linkKilobytes)") }
    if scale.linksKeepOrder { lines.append("frames ordered") }
    lines += ["end \(Self.text(end - .zero))", "core \(core.joined(separator: " "))"]
    return lines.joined(separator: "\n") + "\n"
  }

  /// Why a text is no story, and where.
  public struct Malformed: Error, Equatable, CustomStringConvertible {
    public let line: Int
    public let reason: String
    public var description: String { "line \(line): \(reason)" }
  }

  /// Most nodes that a story may have.
  public static let maximumNodes = 9
  /// Most steps that a story may have.
  public static let maximumSteps = 1_000_000

  public init(parsing text: String) throws(Malformed) {
    self.init(seed: 0, place: .lan, names: [], steps: [], end: .zero, core: [])
    var hasTitle = false
    for (number, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
      let words = line.prefix { $0 != "#" }.split(whereSeparator: \.isWhitespace).map(String.init)
      guard let first = words.first else { continue }
      do throws(Reason) {
        if hasTitle {
          try take(first, Array(words.dropFirst()))
        } else {
          guard words == ["coracle", "story", "1"] else { throw Reason("a story begins with `coracle story 1`") }
          hasTitle = true
        }
      } catch {
        throw Malformed(line: number + 1, reason: error.text)
      }
    }
    do throws(Reason) { try checkWhole() } catch { throw Malformed(line: 0, reason: error.text) }
  }

  private struct Reason: Error {
    let text: String
    init(_ text: String) { self.text = text }
  }

  private mutating func take(_ first: String, _ words: [String]) throws(Reason) {
    switch first {
    case "seed": seed = try Self.number(words)
    case "place":
      guard let value = words.first.flatMap(Place.init) else { throw Reason("a place is lan or wan") }
      place = value
    case "nodes": names = words
    case "joining": joining = words
    case "keys":
      scale.keys = try Self.number(words)
      guard (1...Self.maximumKeys).contains(scale.keys) else { throw Reason("keys are 1 to \(Self.maximumKeys)") }
    case "values":
      guard let bytes = words.first.flatMap({ Int($0) }), (0...Self.maximumValueBytes).contains(bytes) else {
        throw Reason("values have 0 to \(Self.maximumValueBytes) bytes")
      }
      scale.valueBytes = bytes
    case "bounds":
      guard words == ["tight"] || words == ["usual"] else { throw Reason("bounds are tight or usual") }
      scale.hasTightBounds = words == ["tight"]
    case "log":
      guard words == ["short"] || words == ["usual"] else { throw Reason("a log is short or usual") }
      scale.keepsLittle = words == ["short"]
    case "snapshots":
      guard let bytes = words.first.flatMap({ Int($0) }), (1...Self.maximumSnapshotBytes).contains(bytes) else {
        throw Reason("snapshots are taken after 1 to \(Self.maximumSnapshotBytes) bytes")
      }
      scale.snapshotBytes = bytes
    case "starts": scale.starts = try Self.duration(words.first)
    case "turns": scale.longestTurn = try Self.duration(words.first)
    case "limits": scale.limits = try Self.number(words)
    case "frames":
      guard words == ["ordered"] || words == ["unordered"] else { throw Reason("frames are ordered or unordered") }
      scale.linksKeepOrder = words == ["ordered"]
    case "links":
      guard let kilobytes = words.first.flatMap({ Int64($0) }), (0...Self.maximumLinkKilobytes).contains(kilobytes) else {
        throw Reason("links carry up to \(Self.maximumLinkKilobytes) kilobytes a second, or any number, which is 0")
      }
      scale.linkKilobytes = kilobytes
    case "end": end = .zero + (try Self.duration(words.first))
    case "core": core = words
    default:
      guard steps.count < Self.maximumSteps else { throw Reason("more than \(Self.maximumSteps) steps") }
      let at = Instant.zero + (try Self.duration(first))
      steps.append(Step(at: at, try action(words)))
    }
  }

  private func checkWhole() throws(Reason) {
    guard (1...Self.maximumNodes).contains(names.count) else { throw Reason("a story has 1 to \(Self.maximumNodes) nodes") }
    guard Set(names).count == names.count else { throw Reason("two nodes have one name") }
    guard core.allSatisfy(names.contains), Set(core).count == core.count, 2 * core.count > names.count else {
      throw Reason("the core is a majority of the nodes")
    }
    guard joining.allSatisfy(names.contains), !founders.isEmpty else { throw Reason("those who join are nodes, and not all of them") }
    guard zip(steps, steps.dropFirst()).allSatisfy({ $0.at <= $1.at }) else { throw Reason("the steps are not in order of time") }
  }

  // MARK: Steps

  static func text(_ step: Step) -> String { "\(text(step.at - .zero)) \(text(step.action))" }

  /// `operation 17 on b within 800ms`, or `pause leader for 2s`, `oneWayCut a c for 2s`, `loss 200 for 3s`.
  static func text(_ action: Action) -> String {
    switch action {
    case .operation(let number, let name, let timeout): "operation \(number) on \(name) within \(text(timeout))"
    case .fault(let fault): text(fault)
    }
  }

  static func text(_ fault: Fault) -> String {
    var words = [fault.kind.rawValue]
    switch fault.target {
    case .leader: words.append("leader")
    case .node(let name): words.append("node \(name)")
    }
    if let other = fault.harm.other, !other.isEmpty { words.append("to \(other)") }
    if fault.harm.amount != 0 { words.append("by \(fault.harm.amount)") }
    if fault.harm.losesPower { words.append("losing power") }
    if fault.duration != .zero { words.append("for \(text(fault.duration))") }
    return words.joined(separator: " ")
  }

  private func action(_ words: [String]) throws(Reason) -> Action {
    guard let first = words.first else { throw Reason("a time, and nothing that happens") }
    if first == "operation" {
      guard words.count == 6, words[2] == "on", words[4] == "within", let number = UInt64(words[1]) else {
        throw Reason("an operation reads: operation NUMBER on NODE within TIME")
      }
      return .operation(number: number, on: try node(words[3]), timeout: try Self.duration(words[5]))
    }
    guard let kind = Fault.Kind(rawValue: first) else { throw Reason("there is no fault called \(first)") }
    return .fault(try fault(kind, words.dropFirst()))
  }

  private func fault(_ kind: Fault.Kind, _ words: ArraySlice<String>) throws(Reason) -> Fault {
    var words = words
    var (target, other, amount, losesPower, duration) = (Fault.Target.leader, "", Int64(0), false, Nanoseconds.zero)
    while let word = words.popFirst() {
      if word == "leader" { continue }
      guard let value = words.popFirst() else { throw Reason("\(word) of what?") }
      switch word {
      case "node": target = .node(try node(value))
      case "to": other = try node(value)
      case "by":
        guard let number = Int64(value) else { throw Reason("\(value) is no whole number") }
        amount = number
      case "losing":
        guard value == "power" else { throw Reason("losing \(value) means nothing here") }
        losesPower = true
      case "for": duration = try Self.duration(value)
      default: throw Reason("\(word) means nothing here")
      }
    }
    return Fault(Fault.Harm(kind, by: amount, to: other, losingPower: losesPower), target: target, duration: duration)
  }

  private func node(_ name: String) throws(Reason) -> String {
    guard names.contains(name) else { throw Reason("no node is called \(name); `nodes` must come before") }
    return name
  }

  // MARK: Times and numbers

  private static func number(_ words: [String]) throws(Reason) -> UInt64 {
    guard let number = words.first.flatMap({ UInt64($0) }) else { throw Reason("\(words.first ?? "nothing") is no number") }
    return number
  }

  private static let units: [(name: String, time: Nanoseconds)] = [
    ("ns", Nanoseconds(1)), ("us", .microseconds(1)), ("ms", .milliseconds(1)), ("s", .seconds(1)),
  ]

  /// In the largest unit that leaves nothing over: `1500ms`, `2s`.
  static func text(_ duration: Nanoseconds) -> String {
    let unit = units.last { duration % $0.time == .zero } ?? units[0]
    return "\(duration / unit.time)\(unit.name)"
  }

  private static func duration(_ word: String?) throws(Reason) -> Nanoseconds {
    let word = word ?? ""
    let digits = word.prefix { $0.isNumber }
    guard let count = Int64(digits), let unit = units.first(where: { $0.name == word.dropFirst(digits.count) }),
      count <= Nanoseconds.max / 1000 / unit.time
    else { throw Reason("\(word.isEmpty ? "nothing" : word) is no time like 1500ms or 2s") }
    return count * unit.time
  }
}
