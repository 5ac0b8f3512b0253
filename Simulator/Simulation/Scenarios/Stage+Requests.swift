import KeyValue
import Raft
import Replica

/// A request that was begun: what became of it, later steps ask.
public struct Attempt: Hashable, Sendable, CustomStringConvertible {
  let request: RequestID
  let deadline: Instant
  /// As the transcript shows it.
  public let description: String
}

/// What clients do, and what they expect to be told.
extension Stage {
  /// How long a client waits, if nothing else is said.
  public static var patience: Nanoseconds { .milliseconds(5000) }

  // MARK: Begun, and left

  /// Asks a server to write, and does not wait.
  public func beginWrite(
    _ key: String, _ value: String, on server: Servers, within patience: Nanoseconds = patience
  ) throws(ScenarioFailure) -> Attempt {
    let name = try name(of: server)
    let description = "\(key)=\(Self.short(value)) on \(name)"
    note("begin to write \(description)")
    let deadline = cluster.now + patience
    return Attempt(
      request: world.write(key, value, on: name, timeout: patience), deadline: deadline, description: "the write of \(description)")
  }

  /// Asks a server to read, linearizably, and does not wait.
  public func beginRead(on server: Servers, within patience: Nanoseconds = patience) throws(ScenarioFailure) -> Attempt {
    let name = try name(of: server)
    note("begin to read on \(name)")
    let deadline = cluster.now + patience
    return Attempt(request: world.read(on: name, timeout: patience), deadline: deadline, description: "the read on \(name)")
  }

  /// The request is answered by its deadline: done.
  public func expectDone(_ attempt: Attempt) throws(ScenarioFailure) {
    switch try end(of: attempt) {
    case .applied(.success(let answer))?: note("\(attempt) is done: revision \(answer.revision)")
    case .view(let view, _, _)?: note("\(attempt) is answered: revision \(view.revision)")
    case let other: throw failure("\(attempt) to be done", seen: Self.describe(other))
    }
  }

  /// The request is answered by its deadline: with an error, not with silence.
  public func expectRefused(_ attempt: Attempt) throws(ScenarioFailure) {
    let outcome = try end(of: attempt)
    guard case .failed(let error)? = outcome else { throw failure("\(attempt) to be refused", seen: Self.describe(outcome)) }
    note("\(attempt) is refused: \(error)")
  }

  /// The request is answered by its deadline, with whatever does not contradict other answers.
  public func expectAnswered(_ attempt: Attempt) throws(ScenarioFailure) {
    let outcome = try end(of: attempt)
    guard outcome != nil else { throw failure("\(attempt) to be answered", seen: Self.describe(nil)) }
    note("\(attempt): \(Self.describe(outcome))")
  }

  /// Whether a request has been answered by now.
  public func isAnswered(_ attempt: Attempt) -> Bool { cluster.outcome(of: attempt.request) != nil }

  // MARK: Begun, and waited for

  /// Writes, and expects the acknowledgement.
  public func write(
    _ key: String, _ value: String, on server: Servers, within patience: Nanoseconds = patience
  ) throws(ScenarioFailure) { try expectDone(try beginWrite(key, value, on: server, within: patience)) }

  /// Asks to write, and expects an error by the deadline.
  public func expectWriteRefused(
    _ key: String, _ value: String, on server: Servers, within patience: Nanoseconds = .milliseconds(2000)
  ) throws(ScenarioFailure) { try expectRefused(try beginWrite(key, value, on: server, within: patience)) }

  /// Asks to read, and expects an error by the deadline.
  public func expectReadRefused(
    on server: Servers, within patience: Nanoseconds = .milliseconds(2000)
  ) throws(ScenarioFailure) { try expectRefused(try beginRead(on: server, within: patience)) }

  /// Each of them, asked for a linearizable read, shows this value; `nil`: none.
  public func expectRead(
    _ key: String, on servers: Servers, is expected: String?, within patience: Nanoseconds = patience
  ) throws(ScenarioFailure) {
    for name in try names(of: servers) {
      let view = try expectState(on: Servers(name), within: patience)
      let seen = view.get(Array(key.utf8)).map { String(decoding: $0.value, as: UTF8.self) }
      guard seen == expected else {
        throw failure("\(name) to show \(key)=\(Self.short(expected ?? "nothing"))", seen: "\(key)=\(Self.short(seen ?? "nothing"))")
      }
      note("\(name) shows \(key)=\(Self.short(seen ?? "nothing"))")
    }
  }

  /// What a linearizable read shows. A client whose read failed, which never does anything, asks again while its patience lasts.
  @discardableResult
  func expectState(on server: Servers, within patience: Nanoseconds) throws(ScenarioFailure) -> KeyValueView {
    let name = try name(of: server)
    let end = cluster.now + patience
    while true {
      let request = world.read(on: name, timeout: min(end - cluster.now, .milliseconds(3000)))
      _ = try pass(.milliseconds(3000)) { cluster.outcome(of: request) != nil }
      if case .view(let view, _, staleness: nil)? = cluster.outcome(of: request) { return view }
      guard cluster.now < end else {
        throw failure("\(name) to serve reads", seen: Self.describe(cluster.outcome(of: request)) + "; " + world.picture)
      }
      _ = try pass(.milliseconds(50)) { false }
    }
  }

  // MARK: Answers

  /// One millisecond more than its deadline: a request that is not answered by then never is.
  private func end(of attempt: Attempt) throws(ScenarioFailure) -> World.Cluster.Outcome? {
    let rest = max(attempt.deadline - cluster.now, .zero) + .milliseconds(1)
    _ = try pass(rest) { isAnswered(attempt) }
    return cluster.outcome(of: attempt.request)
  }

  private static func describe(_ outcome: World.Cluster.Outcome?) -> String {
    switch outcome {
    case nil: "no answer"
    case .applied(.success(let answer)): "done, revision \(answer.revision)"
    case .applied(.failure(let error)): "the store's error \(error)"
    case .view(let view, _, _): "answered with revision \(view.revision)"
    case .answered: "answered by the leader"
    case .failed(let error): "\(error)"
    }
  }

  private static func short(_ value: String) -> String { value.count <= 20 ? value : value.prefix(12) + "… (\(value.utf8.count) bytes)" }
}
