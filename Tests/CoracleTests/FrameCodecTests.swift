import NIOCore
import NIOEmbedded
import Testing

@testable import Coracle

@Suite struct FrameCodecTests {
  private func makeChannel(maximumSize: Int = 100) throws -> EmbeddedChannel {
    EmbeddedChannel(handler: ByteToMessageHandler(FrameDecoder(maximumSize: maximumSize)))
  }

  private func buffer(_ bytes: [UInt8]) -> ByteBuffer { ByteBuffer(bytes: bytes) }

  @Test func readsWhatWasWrittenHoweverItIsCut() throws {
    let frames: [[UInt8]] = [[1, 2, 3], [], [UInt8](repeating: 7, count: 100), [9]]
    let stream = frames.flatMap { Array(Frame.encode($0, allocator: ByteBufferAllocator()).readableBytesView) }
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
}
