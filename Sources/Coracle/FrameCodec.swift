import NIOCore

/// What goes over a connection between peers: a `UInt32` length, little-endian, and then that many bytes.
enum Frame {
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

/// Cuts the stream into frames. It never holds more than one frame that is not complete.
struct FrameDecoder: ByteToMessageDecoder {
  typealias InboundOut = [UInt8]

  let maximumSize: Int

  init(maximumSize: Int = Frame.maximumSize) {
    self.maximumSize = maximumSize
  }

  mutating func decode(context: ChannelHandlerContext, buffer: inout ByteBuffer) throws -> DecodingState {
    guard let announced = buffer.getInteger(at: buffer.readerIndex, endianness: .little, as: UInt32.self) else { return .needMoreData }
    let size = Int(announced)
    guard size <= maximumSize else { throw OversizeFrame(size: size, limit: maximumSize) }
    guard buffer.readableBytes >= 4 + size else { return .needMoreData }
    buffer.moveReaderIndex(forwardBy: 4)
    context.fireChannelRead(Self.wrapInboundOut(buffer.readBytes(length: size) ?? []))
    return .continue
  }

  /// What is left of a frame when the connection ends is nothing.
  mutating func decodeLast(context: ChannelHandlerContext, buffer: inout ByteBuffer, seenEOF: Bool) throws -> DecodingState {
    while try decode(context: context, buffer: &buffer) == .continue {}
    return .needMoreData
  }
}
