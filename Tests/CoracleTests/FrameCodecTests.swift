import Budget
import NIOCore
import NIOEmbedded
import Testing

@testable import Coracle

@Suite struct FrameCodecTests {
  private func makeChannel(maximumSize: Int = 100) throws -> EmbeddedChannel {
    EmbeddedChannel(handler: FrameReader(maximumSize: maximumSize, memory: MemoryBudget(bytes: 1000).account("frames")))
  }

  private func buffer(_ bytes: [UInt8]) -> ByteBuffer { ByteBuffer(bytes: bytes) }

  @Test func readsWhatWasWrittenHoweverItIsCut() throws {
    let frames: [[UInt8]] = [[1, 2, 3], [], [UInt8](repeating: 7, count: 100), [9]]
    let stream = frames.flatMap { Array(FrameCodec.encode($0, allocator: ByteBufferAllocator()).readableBytesView) }
    for size in [1, 2, 3, 5, 64, stream.count] {
      let channel = try makeChannel()
      for start in stride(from: 0, to: stream.count, by: size) {
        try channel.writeInbound(buffer(Array(stream[start..<min(start + size, stream.count)])))
      }
      for frame in frames { #expect(try channel.readInbound(as: [UInt8].self) == frame) }
      #expect(try channel.readInbound(as: [UInt8].self) == nil)
      _ = try channel.finish()
    }
  }

  @Test func refusesTheLengthBeforeTheBytesCome() throws {
    let channel = try makeChannel()
    #expect(throws: OversizeFrame(size: 101, limit: 100)) { try channel.writeInbound(buffer([101, 0, 0, 0])) }
    #expect(try channel.readInbound(as: [UInt8].self) == nil)
    _ = try? channel.finish()
  }

  @Test func garbageIsAnErrorOrAFrame() throws {
    for seed in UInt8(0)..<200 {
      let channel = try makeChannel()
      let bytes = (0..<64).map { UInt8(truncatingIfNeeded: $0 &* 37 ^ Int(seed) &* 11) }
      do {
        try channel.writeInbound(buffer(bytes))
        while let frame = try channel.readInbound(as: [UInt8].self) { #expect(frame.count <= 100) }
      } catch {
        #expect(error is OversizeFrame)
      }
      _ = try? channel.finish()
    }
  }

  @Test func cutFrameAtTheEndIsDropped() throws {
    let channel = try makeChannel()
    try channel.writeInbound(buffer([1, 0, 0, 0, 5, 3, 0, 0, 0, 1]))
    _ = try channel.finish()
    #expect(try channel.readInbound(as: [UInt8].self) == [5])
    #expect(try channel.readInbound(as: [UInt8].self) == nil)
  }

  @Test func whatIsOnItsWayIsCountedUntilItIsWhole() throws {
    let memory = MemoryBudget(bytes: 150).account("frames")
    let channels = (0..<3).map { _ in EmbeddedChannel(handler: FrameReader(maximumSize: 100, memory: memory)) }
    for channel in channels[..<2] { try channel.writeInbound(buffer([60, 0, 0, 0, 1, 2, 3])) }
    #expect(memory.reserved == 120)
    #expect(throws: NoRoomForFrame(size: 60)) { try channels[2].writeInbound(buffer([60, 0, 0, 0, 1])) }
    try channels[0].writeInbound(buffer([UInt8](repeating: 9, count: 57)))
    #expect(try channels[0].readInbound(as: [UInt8].self)?.count == 60)
    #expect(memory.reserved == 60)
    // One that ends in the middle gives back what it had.
    _ = try channels[1].finish()
    #expect(memory.reserved == 0)
    for channel in [channels[0], channels[2]] { _ = try? channel.finish() }
  }

  @Test func theBoundMayChangeBetweenFrames() throws {
    let reader = FrameReader(maximumSize: 2, memory: MemoryBudget(bytes: 1000).account("frames"))
    let channel = EmbeddedChannel(handler: reader)
    try channel.writeInbound(buffer([2, 0, 0, 0, 1, 2]))
    reader.maximumSize = 3
    try channel.writeInbound(buffer([3, 0, 0, 0, 1, 2, 3]))
    #expect(try channel.readInbound(as: [UInt8].self) == [1, 2])
    #expect(try channel.readInbound(as: [UInt8].self) == [1, 2, 3])
    _ = try? channel.finish()
  }
}
