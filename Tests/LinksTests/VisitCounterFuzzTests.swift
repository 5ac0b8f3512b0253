import KeyValue
import Links
import LocalStore
import Testing

/// Nodes that count, crash, restart and lose answers, over a store in which requests arrive late: whatever happens, no visit is counted
/// twice, no count that was shown goes down while its link lives, and what a counter calls committed is in the store.
@Suite struct VisitCounterFuzzTests {
  @Test(arguments: 0..<60 as Range<UInt64>) func countsNoVisitTwiceAndLosesNoCommittedOne(seed: UInt64) throws {
    var world = World(seed: seed)
    for _ in 0..<600 { try world.step() }
    try world.settle()
  }
}

private struct World {
  private var generator: SeededGenerator
  private var store = LocalStore()
  private let links = LinkShortener()
  private var nodes: [VisitCounter]
  private var processes: UInt64 = 0
  private var current: [StoredLink?]
  /// Writes whose answer was lost, which may yet be done, even after their process ended.
  private var late: [Request] = []
  private var shown: [LinkIdentity: UInt64] = [:]
  private var recorded: [LinkIdentity: UInt64] = [:]

  init(seed: UInt64) {
    generator = SeededGenerator(seed: seed)
    nodes = (1...3).map { VisitCounter(owner: CounterOwner($0), process: 0) }
    current = Array(repeating: nil, count: 4)
  }

  mutating func step() throws {
    let node = generator.below(nodes.count)
    switch generator.below(20) {
    case 0: restart(node)
    case 1: try replaceLink(generator.below(current.count))
    case 2: if !late.isEmpty { _ = try store.perform(late.remove(at: generator.below(late.count))) }
    case 3...10: visit(node)
    default: try exchange(node)
    }
    try check()
  }

  /// Without further faults everything that waits is committed, and the counts are exact from here on.
  mutating func settle() throws {
    late.removeAll()
    for node in nodes.indices {
      while let request = nodes[node].nextRequest() { try nodes[node].receive(store.perform(request)) }
    }
    try check()
    let before = try current.map { try $0.map { try count($0) } }
    let dropped = nodes.map(\.dropped)
    for node in nodes.indices {
      visit(node, everywhere: true)
      while let request = nodes[node].nextRequest() { try nodes[node].receive(store.perform(request)) }
      #expect(nodes[node].waiting == 0)
    }
    #expect(nodes.map(\.dropped) == dropped)
    for (link, count) in zip(current, before) {
      if let link, let count { #expect(try self.count(link) == count + UInt64(nodes.count)) }
    }
  }

  private mutating func restart(_ node: Int) {
    if let request = nodes[node].nextRequest() { late.append(request) }
    processes += 1
    nodes[node] = VisitCounter(owner: nodes[node].owner, process: processes)
  }

  private mutating func replaceLink(_ offset: Int) throws {
    let slug = try Slug("s\(offset)")
    if current[offset] != nil {
      _ = try store.perform(links.delete(slug).request)
      current[offset] = nil
    } else {
      let change = links.create(slug, Link(target: try Target("https://one.example/"), createdSeconds: 1))
      guard case .created(let stored) = try change.outcome(of: store.perform(change.request)) else { throw LinkError.taken(slug) }
      current[offset] = stored
    }
  }

  private mutating func visit(_ node: Int, everywhere: Bool = false) {
    for offset in current.indices where everywhere || generator.below(2) == 0 {
      guard let link = current[offset] else { continue }
      nodes[node].record(link.identity)
      recorded[link.identity, default: 0] += 1
    }
  }

  private mutating func exchange(_ node: Int) throws {
    guard let request = nodes[node].nextRequest() else { return }
    switch generator.below(4) {
    case 0:
      nodes[node].outcomeUnknown()
      late.append(request)
    case 1:
      _ = try store.perform(request)
      nodes[node].outcomeUnknown()
    default: try nodes[node].receive(store.perform(request))
    }
  }

  private func count(_ link: StoredLink) throws -> UInt64 {
    let query = links.visits(of: link.slug)
    return try query.outcome(of: store.read(query.request)).count(of: link)
  }

  private mutating func check() throws {
    for link in current.compactMap({ $0 }) {
      let count = try count(link)
      #expect(count >= shown[link.identity] ?? 0, "a count that was shown went down")
      #expect(count <= recorded[link.identity] ?? 0, "more was counted than was visited")
      shown[link.identity] = count
    }
    let waiting = nodes.reduce(0) { $0 + $1.waiting }
    #expect(store.pairs.count <= current.count * (nodes.count + 1) + nodes.count, "a deleted link left a counter behind")
    #expect(waiting <= recorded.values.reduce(0, +))
  }
}
