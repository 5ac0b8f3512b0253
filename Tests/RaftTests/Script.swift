import ByteCoding

@testable import Raft

/// A script: lines that begin with `>` are commands, what follows is what the members said; `#` and empty lines are for the reader.
///
///     nodes a b c           the members of a new cluster
///     log a 1 1 4 [term 5]  a starts anew with a durable log of these terms
///     campaign a, tick a    a's timer runs out
///     wait 100              milliseconds pass
///     propose a x y         a client of a's wants x and y
///     forward b 1 x         b sends x to its leader, as its proposal 1
///     read a 7              a client of a's reads, as read 7
///     transfer a 1 [b]      a's operator asks it, in request 1, to hand over to b, or to the best
///     join d                d starts with nothing, to join
///     add a 2 d [auto|b]    a's operator adds the learner d, who is promoted on request, by itself, or in the place of b
///     promote a 3 d         a's operator makes d a voter
///     remove a 4 b          a's operator removes b
///     members a             the configuration in force at a
///     deliver [a->b]        everything until there is silence; or what is under way from a to b, once (`*`: whoever)
///     drop a->b             what is under way is lost
///     repeat a->b           what is under way arrives, and stays under way
///     isolate a, heal       nothing reaches or leaves a; all is well again
///     slow a, written a     a's writes wait; the oldest is durable
///     fast a                all are, and do not wait any more
///     restart a             loss of power, and a start
///     snapshot a 5          a's owner has a snapshot at 5, and cuts the log there
///     send a c              a's owner sends c that snapshot, in one block
///     install c             c's owner has stored what it got
///     state [a]             what a is, has and knows
struct Script {
  struct Failure: Error { let line: String }

  private var conversation: Conversation?
  private var names: [String] = []
  private var received: [NodeID: SnapshotDescriptor] = [:]

  /// The script with what was really said in place of what it expects.
  static func replay(_ text: String) throws -> String {
    var script = Script()
    var output: [String] = []
    for line in text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init) {
      if line.hasPrefix("> ") {
        output.append(line)
        output += try script.perform(line.dropFirst(2).split(separator: " ").map(String.init)).map { "  \($0)" }
      } else if line.isEmpty || line.hasPrefix("#") {
        output.append(line)
      }
    }
    return output.joined(separator: "\n")
  }

  private mutating func perform(_ words: [String]) throws -> [String] {
    let arguments = Array(words.dropFirst())
    if words[0] == "nodes" {
      names = arguments
      conversation = Conversation(names: names)
      return []
    }
    guard let conversation else { throw Failure(line: words.joined(separator: " ")) }
    conversation.lines = []
    try perform(words[0], arguments, conversation)
    return conversation.lines
  }

  private mutating func perform(_ command: String, _ arguments: [String], _ conversation: Conversation) throws {
    let name = arguments.first ?? ""
    switch command {
    case "campaign", "tick": conversation.tick(name)
    case "wait": conversation.wait(.milliseconds(Int64(name) ?? 0))
    case "propose": conversation.step(name, .propose(arguments.dropFirst().map { Array($0.utf8)[...] }))
    case "forward":
      conversation.step(name, .forward(stream: 1, sequence: UInt64(arguments[1]) ?? 0, arguments.dropFirst(2).map { Array($0.utf8)[...] }))
    case "read": conversation.step(name, .read(UInt64(arguments[1]) ?? 0))
    case "transfer":
      let target = arguments.count > 2 ? Conversation.id(arguments[2]) : nil
      conversation.step(name, .operate(UInt64(arguments[1]) ?? 0, .transfer(to: target)))
    case "join": try conversation.join(name)
    case "add", "promote", "remove": operate(command, arguments, conversation)
    case "members": conversation.lines.append("\(name): \(conversation.members(name))")
    case "isolate": conversation.isolate(name)
    case "heal": conversation.heal()
    case "slow": conversation[name].isSlow = true
    case "fast":
      conversation[name].isSlow = false
      while !conversation[name].unsynced.isEmpty { conversation.sync(name) }
    case "written": conversation.sync(name)
    case "restart": try conversation.restart(name)
    case "log": try setLog(of: name, arguments.dropFirst(), conversation)
    case "state": conversation.lines += (arguments.isEmpty ? names : arguments).map { "\($0): \(conversation.state($0))" }
    case "deliver", "drop", "repeat": try move(command, arguments.first, conversation)
    case "snapshot", "send", "install": try snapshot(command, arguments, conversation)
    default: throw Failure(line: command)
    }
  }

  private func operate(_ command: String, _ arguments: [String], _ conversation: Conversation) {
    let peer = Conversation.id(arguments[2])
    let request: OperatorRequest
    switch command {
    case "promote": request = .promote(peer)
    case "remove": request = .remove(peer)
    default:
      let member = Member(id: peer, name: arguments[2], peerAddress: arguments[2], clientAddress: arguments[2])
      let promotion: Learner.Promotion =
        switch arguments.count > 3 ? arguments[3] : "" {
        case "": .onRequest
        case "auto": .whenCaughtUp
        case let old: .replacing(Conversation.id(old))
        }
      request = .add(Learner(member, promotion))
    }
    conversation.step(arguments[0], .operate(UInt64(arguments[1]) ?? 0, request))
  }

  private func setLog(of name: String, _ words: ArraySlice<String>, _ conversation: Conversation) throws {
    let terms = words.prefix { $0 != "term" }.compactMap(UInt64.init)
    let term = words.firstIndex(of: "term").flatMap { UInt64(words[$0 + 1]) } ?? terms.last ?? 1
    let first = conversation[name].raft.log.entry(at: 1)
    let entries = terms.enumerated().map { offset, term in
      offset == 0 && first != nil
        ? first ?? Entry(index: 1, term: 1, kind: .noop)
        : Entry(index: UInt64(offset) + 1, term: term, kind: .command, payload: Array("\(term)".utf8)[...])
    }
    let state = DurableState(hardState: HardState(term: term), entries: entries, commit: 1)
    try conversation[name].become(state, now: conversation.now)
  }

  private func move(_ command: String, _ path: String?, _ conversation: Conversation) throws {
    guard let path else {
      if command == "drop" { conversation.drop() } else { conversation.deliver() }
      return
    }
    let ends = path.split(separator: "-", maxSplits: 1).map { String($0.filter { $0 != ">" }) }
    guard ends.count == 2 else { throw Failure(line: path) }
    let (source, destination) = (ends[0] == "*" ? nil : ends[0], ends[1] == "*" ? nil : ends[1])
    switch command {
    case "drop": conversation.drop(from: source, to: destination)
    case "repeat":
      let copies = conversation.network.filter { Description.name($0.from) == source && Description.name($0.to) == destination }
      for message in copies { conversation.step(Description.name(message.to), .message(message)) }
    default: conversation.deliverOnce(from: source, to: destination)
    }
  }

  private mutating func snapshot(_ command: String, _ arguments: [String], _ conversation: Conversation) throws {
    let name = arguments[0]
    switch command {
    case "snapshot": conversation.change(name) { node, now in node.takeSnapshot(at: UInt64(arguments[1]) ?? 0, now: now) }
    case "send":
      guard let descriptor = conversation[name].snapshot else { throw Failure(line: "\(name) has no snapshot") }
      let peer = Conversation.id(arguments[1])
      received[peer] = descriptor
      conversation.step(name, .sendSnapshotBlock(to: peer, descriptor, number: 0, block: [1], last: true))
    default:
      guard let descriptor = received[Conversation.id(name)] else { throw Failure(line: "\(name) got no snapshot") }
      conversation.change(name) { node, now in node.install(descriptor, now: now) }
    }
  }
}
