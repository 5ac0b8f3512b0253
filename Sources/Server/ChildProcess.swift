import Foundation
import NIOConcurrencyHelpers

/// A program that runs while a lock is held.
///
/// By hand, since Foundation's `Process` leaves the program with the signals blocked that its own threads block, and waits for everything
/// that the program started.
final class ChildProcess: Sendable {
  /// How long it may take to stop once the lock is lost.
  static let patience = Duration.seconds(1)

  private let arguments: [String]
  private let environment: [String: String]
  /// While it runs.
  private let number = NIOLockedValueBox<pid_t?>(nil)

  /// - Parameter environment: beside that of this process.
  init(arguments: [String], environment: [String: String]) {
    self.arguments = arguments
    self.environment = environment
  }

  /// Tells it to stop; when it does is up to the program.
  func stop() { signal(SIGTERM) }

  /// Under the lock, so that the number is not another process's by then.
  private func signal(_ signal: Int32) { number.withLockedValue { if let number = $0 { kill(number, signal) } } }

  /// Runs it to its end. When the task is cancelled it is told to stop, and killed if it has not a moment later: another may hold the lock.
  ///
  /// - Returns: its exit status, as a shell would have it: 127 if there is no such program, 128 and the signal's number if one ended it.
  func run() async -> Int32 {
    guard !Task.isCancelled else { return 128 + SIGTERM }
    let started: pid_t
    switch spawn() {
    case .success(let number): started = number
    case .failure(let error):
      Output.complain("cannot run \(arguments[0]): \(String(cString: strerror(error.code)))")
      return 127
    }
    let killing = NIOLockedValueBox<Task<Void, any Error>?>(nil)
    let status = await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        Thread.detachNewThread { continuation.resume(returning: self.wait(for: started)) }
      }
    } onCancel: {
      stop()
      killing.withLockedValue { task in
        task = Task.detached {
          try await Task.sleep(for: Self.patience)
          self.signal(SIGKILL)
        }
      }
    }
    killing.withLockedValue { $0?.cancel() }
    return status
  }

  private struct SpawnError: Error { let code: Int32 }

  private func spawn() -> Result<pid_t, SpawnError> {
    var words: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) } + [nil]
    let surroundings = ProcessInfo.processInfo.environment.merging(environment) { $1 }
    var variables: [UnsafeMutablePointer<CChar>?] = surroundings.sorted { $0.key < $1.key }.map { strdup("\($0)=\($1)") } + [nil]
    defer { for word in words + variables { free(word) } }
    #if canImport(Darwin)
      var attributes: posix_spawnattr_t?
    #else
      var attributes = posix_spawnattr_t()
    #endif
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    // It begins as a shell would start it: no signal is blocked, and none ignored.
    var (none, all) = (sigset_t(), sigset_t())
    sigemptyset(&none)
    sigfillset(&all)
    posix_spawnattr_setsigmask(&attributes, &none)
    posix_spawnattr_setsigdefault(&attributes, &all)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))
    return number.withLockedValue { number in
      var started: pid_t = 0
      let code = posix_spawnp(&started, arguments[0], nil, &attributes, &words, &variables)
      guard code == 0 else { return .failure(SpawnError(code: code)) }
      number = started
      return .success(started)
    }
  }

  private func wait(for started: pid_t) -> Int32 {
    // Its number is its own until it is waited for.
    var information = siginfo_t()
    while waitid(P_PID, id_t(started), &information, WEXITED | WNOWAIT) == -1, errno == EINTR {}
    return number.withLockedValue { number in
      number = nil
      var status: Int32 = 0
      while waitpid(started, &status, 0) == -1, errno == EINTR {}
      let signal = status & 0x7f
      return signal == 0 ? status >> 8 & 0xff : 128 + signal
    }
  }
}
