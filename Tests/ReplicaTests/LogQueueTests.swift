import Raft
import Replica
import Testing
import WriteAheadLog

/// The order in which a node's log is written, whoever does it.
@Suite struct LogQueueTests {
  private let identity = IdentityRecord(node: NodeID(1), name: "a", phase: .undecided)
  private var queue = LogQueue()

  private func write(_ sequence: UInt64) -> LogWrite {
    LogWrite(sequence: sequence, entries: [Entry(index: sequence, term: 1, kind: .command, payload: [1, 2, 3])])
  }

  private func read(_ peer: UInt64) -> EntriesRequest { EntriesRequest(peer: NodeID(peer), after: 0, through: 1, limit: 100) }

  private func words(_ step: LogQueue.Step?) -> String {
    switch step {
    case nil: "nothing"
    case .save: "save"
    case .append(let writes): "append " + writes.map { String($0.sequence) }.joined(separator: " ")
    case .sync(let sequence): "sync \(sequence)"
    case .compact(let index): "cut \(index)"
    case .read(let request): "read \(request.peer.rawValue)"
    }
  }

  private func peek(_ queue: inout LogQueue) -> String { words(queue.next()) }

  /// Does one step.
  private func perform(_ queue: inout LogQueue) -> String {
    let step = queue.next()
    if let step { queue.finish(step) }
    return words(step)
  }

  /// Does all that waits.
  private func drain(_ queue: inout LogQueue) -> [String] {
    var done: [String] = []
    while !queue.isEmpty { done.append(perform(&queue)) }
    return done
  }

  private func findNoRoom(_ queue: inout LogQueue) -> LogQueue.Shortage? {
    guard let step = queue.next() else { return nil }
    return queue.foundNoRoom(for: step)
  }

  @Test func whatWaitsGoesTogetherInOneOrder() {
    var queue = queue
    queue.add(identity: nil, writes: [write(1)], compact: 3, reads: [read(2)])
    queue.add(identity: identity, writes: [write(2), write(3)], compact: 2, reads: [read(3)])
    #expect(queue.bytes == 3 * write(1).entries[0].record.count)
    #expect(drain(&queue) == ["save", "append 1 2 3", "sync 3", "cut 3", "read 2", "read 3"])
    #expect(queue.isEmpty)
    #expect(queue.bytes == 0)
  }

  @Test func whatComesMeanwhileWaitsForTheNextTime() {
    var queue = queue
    queue.add(identity: nil, writes: [write(1)], compact: nil, reads: [])
    #expect(peek(&queue) == "append 1")
    queue.add(identity: identity, writes: [write(2)], compact: nil, reads: [])
    #expect(drain(&queue) == ["append 1", "sync 1", "save", "append 2", "sync 2"])
  }

  @Test func fullDiskIsMadeRoomOn() {
    var queue = queue
    queue.add(identity: identity, writes: [write(1)], compact: nil, reads: [read(2)])
    #expect(perform(&queue) == "save")
    #expect(findNoRoom(&queue) == .goOn, "a peer can be served meanwhile")
    #expect(perform(&queue) == "read 2")
    #expect(findNoRoom(&queue) == .wait)
    #expect(peek(&queue) == "append 1", "the identity is not saved twice")
    queue.add(identity: nil, writes: [write(2)], compact: 5, reads: [read(3)])
    #expect(findNoRoom(&queue) == .goOn)
    #expect(drain(&queue) == ["cut 5", "append 1", "sync 1", "read 3", "append 2", "sync 2"])
  }

  @Test func cutThatFindsNoRoomWaits() {
    var queue = queue
    queue.add(identity: nil, writes: [], compact: 5, reads: [])
    #expect(findNoRoom(&queue) == .wait)
    #expect(peek(&queue) == "cut 5")
  }
}
