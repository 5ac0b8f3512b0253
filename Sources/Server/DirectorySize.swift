import Foundation
import NIOConcurrencyHelpers

/// Bytes of the files in a data directory, looked up once a second at most.
final class DirectorySize: Sendable {
  private let path: String
  private let known = NIOLockedValueBox<(bytes: Int64, at: ContinuousClock.Instant)?>(nil)

  init(path: String) { self.path = path }

  var bytes: Int64 {
    known.withLockedValue { known in
      if let known, known.at.duration(to: .now) < .seconds(1) { return known.bytes }
      let bytes = measure()
      known = (bytes, .now)
      return bytes
    }
  }

  private func measure() -> Int64 {
    let files = FileManager.default.enumerator(atPath: path)
    var bytes: Int64 = 0
    while files?.nextObject() != nil { bytes += (files?.fileAttributes?[.size] as? NSNumber)?.int64Value ?? 0 }
    return bytes
  }
}
