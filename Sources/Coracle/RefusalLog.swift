import Logging
import NIOCore

/// Says in the log what was refused, once a second at most, with how many others there were meanwhile: whoever is refused can come again as
/// often as they like.
package struct RefusalLog {
  private static let interval = TimeAmount.seconds(1)

  private let logger: Logger
  private var quietUntil = NIODeadline.uptimeNanoseconds(0)
  private var unsaid = 0

  package init(logger: Logger) { self.logger = logger }

  package mutating func record(_ message: Logger.Message, _ metadata: Logger.Metadata, now: NIODeadline) {
    guard now >= quietUntil else {
      unsaid += 1
      return
    }
    var metadata = metadata
    if unsaid > 0 { metadata["others"] = "\(unsaid)" }
    logger.warning(message, metadata: metadata)
    (quietUntil, unsaid) = (now + Self.interval, 0)
  }
}
