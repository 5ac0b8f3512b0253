import Coracle
import Logging

/// How often each of at most 256 things was counted.
struct Counters: StateMachine, SnapshotSource {
  typealias View = Counters

  private var counts: [UInt64]

  init() { counts = Array(repeating: 0, count: 256) }

  func count(of thing: UInt8) -> UInt64 { counts[Int(thing)] }

  // MARK: Commands

  /// A command is one byte, the thing to count. The output is its count, or `nil` for bytes that are no command.
  mutating func apply(_ commands: [Command]) -> [UInt64?] {
    commands.map { command in
      guard command.payload.count == 1, let thing = command.payload.first else { return nil }
      counts[Int(thing)] &+= 1
      return counts[Int(thing)]
    }
  }

  // MARK: Snapshots

  func makeBlocks() -> CollectionOfOne<[UInt8]>.Iterator {
    var writer = ByteWriter()
    for count in counts { writer.write(count) }
    return CollectionOfOne(writer.bytes).makeIterator()
  }

  init(restoring blocks: inout SnapshotBlocks) throws(MalformedBytes) {
    self.init()
    var reader = ByteReader(try blocks.next())
    for thing in counts.indices { counts[thing] = try reader.readUInt64() }
    try reader.expectEnd()
  }
}

@main
struct ReplicateYourOwnState {
  static func main() async throws {
    let configuration = NodeConfiguration(name: "a", dataDirectory: "counters-data", peerAddress: try HostPort("127.0.0.1:0"))
    let node = try Node<Counters>(configuration, logger: Logger(label: "counters"))
    try await node.run {
      if let count = try await node.propose([7]) { print("counted", count, "times") }
      let read = try await node.read()
      print("the count of 7 is", read.view.count(of: 7))
    }
  }
}
