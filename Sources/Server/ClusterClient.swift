import AsyncHTTPClient
import Coracle
import Foundation
import NIOCore
import NIOHTTP1
import NIOPosix

/// Talks to whichever node of a cluster answers.
///
/// Any node takes any request. What was certainly not done is tried at the next node; a write whose outcome is unknown is not repeated.
struct ClusterClient {
  enum Kind { case read, write }

  let endpoints: [HostPort]
  let timeout: Duration

  /// Between two rounds over all endpoints.
  private static let pause = Duration.milliseconds(100)
  /// Most bytes of an answer.
  private static let maximumAnswerBytes = 1 << 30
  /// For an answer to come back after the node's own deadline.
  private static let grace = Duration.milliseconds(300)

  /// Asks one node after the other until one answers or the time is over.
  func call(_ path: String, _ body: [UInt8], _ kind: Kind) async throws(ClientError) -> [UInt8] {
    let deadline = ContinuousClock.now + timeout
    var reasons: [HostPort: String] = [:]
    repeat {
      for endpoint in endpoints {
        let remaining = max(ContinuousClock.now.duration(to: deadline), .milliseconds(1))
        // A read leaves time for the other nodes, should this one hang.
        let limit = kind == .write ? remaining : max(remaining / endpoints.count, min(remaining, .milliseconds(500)))
        switch await attempt(endpoint, path, body, limit) {
        case .answer(let bytes): return bytes
        case .refused(let text): throw .refused(text)
        case .notDone(let text): reasons[endpoint] = text
        case .unknown(let text) where kind == .write: throw .unknown("\(endpoint): \(text)")
        case .unknown(let text): reasons[endpoint] = text
        }
        if ContinuousClock.now >= deadline { break }
      }
      try? await Task.sleep(for: Self.pause)
    } while ContinuousClock.now < deadline
    throw .unavailable(endpoints.map { "\($0): \(reasons[$0] ?? "not asked")" })
  }

  /// Asks one node, once.
  func call(_ endpoint: HostPort, _ path: String) async throws(ClientError) -> [UInt8] {
    switch await attempt(endpoint, path, Array("{}".utf8), timeout) {
    case .answer(let bytes): return bytes
    case .refused(let text): throw .refused(text)
    case .notDone(let text), .unknown(let text): throw .unavailable(["\(endpoint): \(text)"])
    }
  }

  private enum Attempt {
    case answer([UInt8])
    case refused(String)
    case notDone(String)
    case unknown(String)
  }

  private func attempt(_ endpoint: HostPort, _ path: String, _ body: [UInt8], _ limit: Duration) async -> Attempt {
    var request = HTTPClientRequest(url: "http://\(endpoint)\(path)")
    request.method = .POST
    request.headers.add(name: "Content-Type", value: "application/json")
    request.headers.add(name: "Grpc-Timeout", value: "\(max(1, Int64(limit / .milliseconds(1))))m")
    request.body = .bytes(body)
    do {
      let response = try await Self.http.execute(request, deadline: .now() + TimeAmount(limit + Self.grace))
      let body = try await response.body.collect(upTo: Self.maximumAnswerBytes)
      return Self.judge(response.status, Array(body.readableBytesView))
    } catch {
      return Self.wasNotSent(error) ? .notDone("cannot connect") : .unknown("the connection failed: \(error)")
    }
  }

  private static func judge(_ status: HTTPResponseStatus, _ body: [UInt8]) -> Attempt {
    if status == .ok { return .answer(body) }
    guard let error = try? JSONDecoder().decode(ErrorAnswer.self, from: Data(body)) else {
      let text = "\(status): \(String(decoding: body.prefix(200), as: UTF8.self))"
      return status == .serviceUnavailable ? .notDone(text) : .unknown(text)
    }
    let text = error.detail ?? error.message
    return switch (error.outcome, status) {
    case ("unknown", _): .unknown(text)
    case ("not done", .serviceUnavailable), ("not done", .tooManyRequests): .notDone(text)
    default: .refused(text)
    }
  }

  /// Whether the request certainly reached nobody.
  private static func wasNotSent(_ error: any Error) -> Bool {
    switch error {
    case is NIOConnectionError: return true
    case let error as HTTPClientError: return error == .connectTimeout || error == .getConnectionFromPoolTimeout
    case let error as IOError: return [ECONNREFUSED, EHOSTUNREACH, ENETUNREACH].contains(error.errnoCode)
    default: return false
    }
  }

  /// One pool of connections for the process, which ends with it.
  private static let http: HTTPClient = {
    var configuration = HTTPClient.Configuration()
    configuration.timeout = .init(connect: .milliseconds(500))
    configuration.redirectConfiguration = .disallow
    return HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
  }()
}
