import Budget
import NIOCore

/// What goes over a connection between peers: a `UInt32` length, little-endian, and then that many bytes.
enum FrameCodec {
  /// Most bytes of one frame, without its length.
  static let maximumSize = 16 << 20

  static func encode(_ frame: [UInt8], allocator: ByteBufferAllocator) -> ByteBuffer {
    var buffer = allocator.buffer(capacity: frame.count + 4)
    buffer.writeInteger(UInt32(frame.count), endianness: .little)
    buffer.writeBytes(frame)
    return buffer
  }
}

/// A peer announced more than is allowed. The stream cannot be followed from there on.
struct OversizeFrame: Error, Equatable, CustomStringConvertible {
  let size: Int
  let limit: Int

  var description: String { "a frame of \(size) bytes, at most \(limit) are allowed" }
}

/// There is no room for a frame in the memory that is set aside for those that are not whole. Its sender sends it again.
struct NoRoomForFrame: Error, Equatable, CustomStringConvertible {
  let size: Int

  var description: String { "no room for a frame of \(size) bytes beside those that are on their way" }
}

/// Cuts the stream into frames. Of a frame that is not whole it holds what has come, in one place, and nothing else.
final class FrameReader: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  typealias InboundOut = [UInt8]

  /// Most bytes of a frame; may change between frames.
  var maximumSize: Int
  private let memory: MemoryBudget.Account
  /// The length of the next frame as far as it came: its bytes, and how many of them.
  private var length: (value: Int, bytes: Int) = (0, 0)
  private var frame: [UInt8] = []
  private var reserved = 0
  private var isBroken = false

  init(maximumSize: Int = FrameCodec.maximumSize, memory: MemoryBudget.Account) {
    self.maximumSize = maximumSize
    self.memory = memory
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    var buffer = unwrapInboundIn(data)
    while !isBroken {
      guard length.bytes == 4 || readLength(&buffer, context) else { return }
      let part = min(length.value - frame.count, buffer.readableBytes)
      buffer.readWithUnsafeReadableBytes {
        frame.append(contentsOf: $0.prefix(part))
        return part
      }
      guard frame.count == length.value else { return }
      let whole = frame
      (frame, length) = ([], (0, 0))
      context.fireChannelRead(wrapInboundOut(whole))
      release()
    }
  }

  func handlerRemoved(context: ChannelHandlerContext) {
    isBroken = true
    frame = []
    release()
  }

  /// False if it is not whole yet, or too large.
  private func readLength(_ buffer: inout ByteBuffer, _ context: ChannelHandlerContext) -> Bool {
    while length.bytes < 4 {
      guard let byte = buffer.readInteger(as: UInt8.self) else { return false }
      length.value |= Int(byte) << (8 * length.bytes)
      length.bytes += 1
    }
    guard length.value <= maximumSize else {
      fail(OversizeFrame(size: length.value, limit: maximumSize), context)
      return false
    }
    guard memory.reserve(length.value) else {
      fail(NoRoomForFrame(size: length.value), context)
      return false
    }
    reserved = length.value
    frame.reserveCapacity(length.value)
    return true
  }

  private func fail(_ error: any Error, _ context: ChannelHandlerContext) {
    isBroken = true
    context.fireErrorCaught(error)
  }

  private func release() {
    memory.release(reserved)
    reserved = 0
  }
}
