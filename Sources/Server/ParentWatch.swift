import Foundation
import ServiceLifecycle

/// Ends when standard input does: it is a pipe whose other end the parent process holds, whatever becomes of it.
struct ParentWatch: Service {
  func run() async throws {
    let (ended, continuation) = AsyncStream.makeStream(of: Void.self)
    let watcher = Thread {
      while let data = try? FileHandle.standardInput.read(upToCount: 4096), !data.isEmpty {}
      continuation.finish()
    }
    watcher.start()
    for await _ in ended.cancelOnGracefulShutdown() {}
  }
}
