/// Sizes of the log's files and writes, in bytes. Out of range values are brought into range.
public struct LogOptions: Sendable {
  /// A segment that has reached this is not written any more: 4 KiB to 64 MiB. Only a batch that alone is larger makes a segment larger.
  public let segmentSize: Int
  /// The steps in which a segment grows, ahead of the records: 4 KiB to 1 MiB. The first step is all the disk that an empty log takes.
  public let fillStep: Int
  /// A batch that has reached this is written and made durable before more is added: up to 16 MiB.
  public let batchSize: Int

  public init(segmentSize: Int = 4 << 20, fillStep: Int = 256 << 10, batchSize: Int = 8 << 20) {
    self.segmentSize = Self.wholePages(min(max(segmentSize, 4 << 10), 64 << 20))
    self.fillStep = Self.wholePages(min(max(fillStep, 4 << 10), Self.largestFillStep))
    self.batchSize = min(max(batchSize, 1), 16 << 20)
  }

  static let largestFillStep = 1 << 20

  private static func wholePages(_ size: Int) -> Int { (size + 4095) / 4096 * 4096 }
}
