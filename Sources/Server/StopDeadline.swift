import Foundation
import Logging
import NIOConcurrencyHelpers
import ServiceLifecycle

/// How long the parts of a stop may take, all of it together no longer than an operator allows.
struct StopTimes: Equatable {
  /// Until the process ends, whatever still works.
  let total: Duration

  /// For requests under way at a port, before their connections are closed.
  var requests: Duration { total / 4 }
  /// For the port for links altogether: the visits that wait are written once its connections are closed.
  var links: Duration { total * 3 / 8 }
}

/// Ends the process when a stop takes too long: a disk that does not answer must not force the operator to kill the process. What is not
/// acknowledged by then never will be; what was acknowledged is durable.
///
/// Runs as the service that is told first of a stop, that is, the last in the group's list.
final class StopDeadline: Service {
  private let timeout: Duration
  private let end: @Sendable (String) -> Void
  private let running = NIOLockedValueBox<[String]>([])

  /// - Parameter end: Ends the process; called on a thread of its own, with the reason.
  init(_ timeout: Duration, end: @escaping @Sendable (String) -> Void) {
    self.timeout = timeout
    self.end = end
  }

  /// A service whose end is noted, so that the reason can say whose end is missing.
  func watch(_ name: String, _ service: any Service) -> any Service {
    running.withLockedValue { $0.append(name) }
    return WatchedService(service: service) { [running] in running.withLockedValue { $0.removeAll { $0 == name } } }
  }

  func run() async throws {
    try? await gracefulShutdown()
    let thread = Thread { [timeout, running, end] in
      usleep(UInt32(timeout / .microseconds(1)))
      let names = running.withLockedValue { $0 }.joined(separator: ", ")
      end("the stop took longer than \(timeout): ended without waiting for \(names.isEmpty ? "the rest" : names)")
    }
    thread.start()
  }
}

private struct WatchedService: Service {
  let service: any Service
  let onEnd: @Sendable () -> Void

  func run() async throws {
    defer { onEnd() }
    try await service.run()
  }
}

/// A service that is waited for only so long once it was told to stop; what it still does goes on beside the others' stop.
struct BoundedStop: Service {
  let service: any Service
  let limit: Duration

  func run() async throws {
    // A task of its own can be left; it takes the signal to stop along.
    let work = Task { try await service.run() }
    let (ends, continuation) = AsyncStream.makeStream(of: Result<Void, any Error>.self)
    let waiter = Task { continuation.yield(await work.result) }
    let timer = Task {
      try await gracefulShutdown()
      try await Task.sleep(for: limit)
      continuation.yield(.success(()))
    }
    defer {
      waiter.cancel()
      timer.cancel()
    }
    try await withTaskCancellationHandler {
      for await end in ends { return try end.get() }
      work.cancel()
    } onCancel: {
      work.cancel()
    }
  }
}

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
