import ByteCoding

@testable import Raft

/// Members that talk to each other, one command at a time. What they say is written down in `lines`.
///
/// A message waits in the network until it is delivered or dropped; a write is durable at once unless the disk was made slow. Time moves
/// only when a command moves it.
final class Conversation {
  private(set) var nodes: [TestNode]
  private(set) var now = Instant.zero
  private(set) var network: [Message] = []
  var lines: [String] = []
  private var isolated: [NodeID] = []

  init(names: [String]) {
    let members = names.map { Member(id: Self.id($0), name: $0, peerAddress: $0, clientAddress: $0) }
    let configuration = Configuration(voters: members)
    nodes = members.map { TestNode(bootstrapping: configuration, id: $0.id, now: .zero) }
    for index in nodes.indices { change(index) { $0.step([], now: $1) } }
    lines = []
  }

  func join(_ name: String) throws { nodes.append(try TestNode(joining: Self.id(name), now: now)) }

  static func id(_ name: String) -> NodeID { NodeID(UInt64(name.utf8.first ?? 0) - 96) }

  subscript(_ name: String) -> TestNode {
    get { nodes[index(of: Self.id(name))] }
    set { nodes[index(of: Self.id(name))] = newValue }
  }

  // MARK: What happens

  func step(_ name: String, _ event: Event...) {
    change(index(of: Self.id(name))) { $0.step(event, now: $1) }
  }

  /// The timer of a node runs out.
  func tick(_ name: String) {
    now = max(now, self[name].raft.deadline)
    step(name, .tick)
  }

  func wait(_ duration: Nanoseconds) { now = now + duration }

  /// Delivers what is in the network, and what that leads to, until there is silence. `limit` keeps a quarrel from going on for ever.
  func deliver(limit: Int = 1000) {
    var left = limit
    while !network.isEmpty, left > 0 {
      receive(network.removeFirst())
      left -= 1
    }
    if left == 0 { lines.append("... and so on") }
  }

  /// Delivers what is in the network now between two nodes (`nil`: any), and leaves what that leads to.
  func deliverOnce(from source: String? = nil, to destination: String? = nil) {
    for message in take(from: source, to: destination) { receive(message) }
  }

  func drop(from source: String? = nil, to destination: String? = nil) {
    for message in take(from: source, to: destination) { lines.append("lost: \(Description.message(message))") }
  }

  /// From now on nothing reaches or leaves this node.
  func isolate(_ name: String) { isolated.append(Self.id(name)) }
  func heal() { isolated = [] }

  func sync(_ name: String) {
    change(index(of: Self.id(name))) { $0.sync(now: $1) ?? TestNode.Turn() }
  }

  func restart(_ name: String) throws {
    try self[name].restart(now: now)
    lines.append("\(name) starts again: \(state(name))")
  }

  func change(_ name: String, _ body: (inout TestNode, Instant) -> TestNode.Turn) { change(index(of: Self.id(name)), body) }

  // MARK: What is said

  func members(_ name: String) -> String {
    let configuration = self[name].raft.configuration
    var parts = ["voters \(configuration.voters.map(\.name).joined(separator: " "))"]
    if configuration.isJoint { parts.append("before \(configuration.outgoing.map(\.name).joined(separator: " "))") }
    if !configuration.learners.isEmpty { parts.append("learners \(configuration.learners.map(\.member.name).joined(separator: " "))") }
    if !configuration.removed.isEmpty { parts.append("left \(configuration.removed.map(Description.name).joined(separator: " "))") }
    return parts.joined(separator: ", ")
  }

  func state(_ name: String) -> String {
    let raft = self[name].raft
    let terms = (raft.logStart.index...raft.lastIndex).dropFirst().map { "\(raft.term(at: $0) ?? 0)" }
    let start = raft.logStart == .zero ? "" : "\(Description.position(raft.logStart)) | "
    return "\(raft.role), term \(raft.term), vote \(Description.name(raft.hardState.vote)), follows \(Description.name(raft.leader)), "
      + "log \(start)\(terms.joined(separator: " ")), durable \(raft.durableIndex), commit \(raft.commitIndex)"
  }

  private func change(_ index: Int, _ body: (inout TestNode, Instant) -> TestNode.Turn) {
    let before = nodes[index].raft
    let turn = body(&nodes[index], now)
    tell(turn, of: index, before: before)
    if !nodes[index].isSlow { flush(index) }
  }

  private func flush(_ index: Int) {
    while !nodes[index].unsynced.isEmpty {
      let before = nodes[index].raft
      guard let turn = nodes[index].sync(now: now) else { return }
      tell(turn, of: index, before: before)
    }
  }

  private func tell(_ turn: TestNode.Turn, of index: Int, before: RaftCore) {
    let raft = nodes[index].raft
    let name = Description.name(raft.id)
    if (raft.role, raft.term) != (before.role, before.term) { lines.append("\(name) is \(raft.role) in term \(raft.term)") }
    for write in turn.writes { lines.append("\(name) writes: \(Description.write(write))") }
    if raft.commitIndex > before.commitIndex { lines.append("\(name) commits through \(raft.commitIndex)") }
    for (id, at) in turn.effects.readable { lines.append("\(name) may serve read \(id) at \(at)") }
    for (stream, sequence) in turn.effects.refusedProposals { lines.append("\(name) learns: proposals \(stream)-\(sequence) are refused") }
    for (id, error) in turn.effects.operated { lines.append("\(name) answers request \(id): \(error.map { "\($0)" } ?? "done")") }
    for peer in turn.effects.snapshotNeeded { lines.append("\(name) has to send \(Description.name(peer)) a snapshot") }
    for block in turn.effects.snapshotBlocks {
      lines.append("\(name) gets block \(block.number) of snapshot \(Description.position(block.descriptor.position))")
    }
    for message in turn.held where nodes[index].isSlow { lines.append("waits for the disk: \(Description.message(message))") }
    for message in turn.sent { send(message) }
  }

  private func send(_ message: Message) {
    guard !isolated.contains(message.from), !isolated.contains(message.to) else { return }
    lines.append(Description.message(message))
    network.append(message)
  }

  private func receive(_ message: Message) {
    guard nodes.contains(where: { $0.id == message.to }) else { return }
    guard !isolated.contains(message.from), !isolated.contains(message.to) else { return }
    change(index(of: message.to)) { $0.step([.message(message)], now: $1) }
  }

  private func take(from source: String?, to destination: String?) -> [Message] {
    func isMeant(_ message: Message) -> Bool {
      (source.map { Self.id($0) == message.from } ?? true) && (destination.map { Self.id($0) == message.to } ?? true)
    }
    defer { network.removeAll(where: isMeant) }
    return network.filter(isMeant)
  }

  private func index(of id: NodeID) -> Int { nodes.firstIndex { $0.id == id } ?? 0 }
}
