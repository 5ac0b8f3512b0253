/// Worlds that wait to be looked at, first come, first served: in numbers, without an allocation for each.
struct WorldQueue {
  private static let chunkSize = 1 << 20
  private var chunks: [[UInt32]] = []
  private var firstChunk = 0
  private var position = 0
  private(set) var count = 0

  mutating func append(_ world: SmallWorld) {
    let size = world.nodes.count + world.messages.count + 3
    if chunks.last.map({ $0.count + size > Self.chunkSize }) ?? true {
      chunks.append([])
      chunks[chunks.count - 1].reserveCapacity(max(Self.chunkSize, size))
    }
    let last = chunks.count - 1
    chunks[last].append(world.ghostState)
    chunks[last].append(world.budget)
    chunks[last].append(UInt32(world.messages.count))
    chunks[last].append(contentsOf: world.nodes)
    chunks[last].append(contentsOf: world.messages)
    count += 1
  }

  /// Puts the next one into `world`, which has as many nodes. False if none waits.
  mutating func next(into world: inout SmallWorld) -> Bool {
    guard count > 0 else { return false }
    if position == chunks[firstChunk].count {
      chunks[firstChunk] = []
      firstChunk += 1
      position = 0
    }
    world.ghostState = chunks[firstChunk][position]
    world.budget = chunks[firstChunk][position + 1]
    let messages = Int(chunks[firstChunk][position + 2])
    position += 3
    for node in world.nodes.indices { world.nodes[node] = chunks[firstChunk][position + node] }
    position += world.nodes.count
    world.messages.removeAll(keepingCapacity: true)
    world.messages.append(contentsOf: chunks[firstChunk][position..<(position + messages)])
    position += messages
    count -= 1
    return true
  }
}
