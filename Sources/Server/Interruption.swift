import UnixSignals

/// The end that a user or a supervisor asks for.
enum Interruption {
  /// Returns at SIGINT or SIGTERM, or when the task is cancelled.
  static func wait() async { for await _ in await UnixSignalsSequence(trapping: .sigint, .sigterm) { return } }
}

extension ChildProcess {
  /// Runs it to its end. When this process is told to stop, so is the program, and waited for: the lock is still held.
  func runUntilInterrupted() async -> Int32 {
    await withTaskGroup(of: Int32?.self) { group in
      group.addTask { await self.run() }
      group.addTask {
        await Interruption.wait()
        if !Task.isCancelled { self.stop() }
        return nil
      }
      for await result in group {
        guard let status = result else { continue }
        group.cancelAll()
        return status
      }
      return 0
    }
  }
}
