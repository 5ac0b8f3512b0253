import Foundation
import NIOConcurrencyHelpers

/// Bytes of the files in a data directory. A thread of its own looks them up every so often; a caller gets the last figure at once,
/// however slow the directory is.
final class DirectorySize: Sendable {
  private final class Figure: Sendable {
    let bytes = NIOLockedValueBox<Int64>(0)
  }

  private let figure = Figure()

  /// - Parameters:
  ///   - seconds: Between two looks.
  ///   - measure: Looks; may take its time.
  init(every seconds: Double = 1, measure: @escaping @Sendable () -> Int64) {
    let thread = Thread { [weak figure] in
      while true {
        let bytes = measure()
        guard let figure else { return }
        figure.bytes.withLockedValue { $0 = bytes }
        // A node that starts has its first file soon.
        usleep(UInt32((bytes == 0 ? min(seconds, 0.05) : seconds) * 1_000_000))
      }
    }
    thread.name = "coracle-size"
    thread.start()
  }

  convenience init(path: String) { self.init { Self.measure(path) } }

  /// As of the last look; 0 before the first.
  var bytes: Int64 { figure.bytes.withLockedValue { $0 } }

  private static func measure(_ path: String) -> Int64 {
    let files = FileManager.default.enumerator(atPath: path)
    var bytes: Int64 = 0
    while files?.nextObject() != nil { bytes += (files?.fileAttributes?[.size] as? NSNumber)?.int64Value ?? 0 }
    return bytes
  }
}
