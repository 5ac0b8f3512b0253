import AsyncHTTPClient
import Coracle
import EtcdAPI
import Foundation
import NIOConcurrencyHelpers
import NIOCore
import NIOHTTP1
import NIOPosix

/// Talks to whichever node of a cluster answers.
///
/// Any node takes any request. What was certainly not done is tried at the next node; a write whose outcome is unknown is not repeated,
/// unless twice is the same as once.
final class ClusterClient: Sendable {
  enum Kind {
    case read, write
    /// A write that may be done twice.
    case repeatable
  }

  let endpoints: [HostPort]
  let timeout: Duration
  let http: HTTPClient
  let streams: HTTPClient
  let credentials: ClientCredentials?
  /// What is asked for in TLS in place of the host, for which a node may show a certificate of its operator's that this client does not
  /// know. These names are nobody's (RFC 2606): the node shows the cluster's.
  private let hostNames: [HostPort: String]
  private static let nobody = "coracle.invalid"
  /// Those that refused a connection.
  private let refusals = NIOLockedValueBox<Set<HostPort>>([])

  /// Close it when it is not needed any more.
  ///
  /// - Parameter credentials: With these it speaks TLS, and shows a certificate; `nil` for plain text.
  init(endpoints: [HostPort], timeout: Duration, credentials: ClientCredentials? = nil) {
    self.endpoints = endpoints
    self.timeout = timeout
    self.credentials = credentials
    var configuration = HTTPClient.Configuration()
    var hostNames: [HostPort: String] = [:]
    for (number, endpoint) in endpoints.enumerated() {
      let name = "node\(number).\(Self.nobody)"
      hostNames[endpoint] = name
      configuration.dnsOverride[name] = endpoint.host
    }
    self.hostNames = hostNames
    configuration.httpVersion = .http1Only
    // Endpoints that nothing comes back from must leave time for the others.
    let connect = min(max(timeout / (endpoints.count + 1), .milliseconds(50)), .milliseconds(500))
    configuration.timeout = .init(connect: TimeAmount(connect))
    // The next endpoint is tried instead.
    configuration.connectionPool.retryConnectionEstablishment = false
    configuration.redirectConfiguration = .disallow
    http = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    // A node that says nothing for longer may be gone without a word: the stream is asked for again.
    configuration.timeout.read = .seconds(30)
    streams = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
  }

  func close() async {
    try? await http.shutdown()
    try? await streams.shutdown()
  }

  func request(_ endpoint: HostPort, _ path: String) -> HTTPClientRequest {
    guard let credentials else { return HTTPClientRequest(url: "http://\(endpoint)\(path)") }
    var request = HTTPClientRequest(url: "https://\(hostNames[endpoint].map { "\($0):\(endpoint.port)" } ?? "\(endpoint)")\(path)")
    request.headers.add(name: "Host", value: "\(endpoint)")
    request.tlsConfiguration = credentials.configuration
    return request
  }

  /// Whether every endpoint refused a connection.
  var isNobodyThere: Bool { refusals.withLockedValue { $0.count == endpoints.count } }

  /// Between two rounds over all endpoints.
  private static let pause = Duration.milliseconds(100)
  /// Most bytes of an answer.
  private static let maximumAnswerBytes = 1 << 30
  /// For an answer to come back after the node's own deadline.
  private static let grace = Duration.milliseconds(300)

  /// Asks one node after the other until one answers or the time is over.
  ///
  /// - Parameters:
  ///   - limit: instead of the usual time.
  ///   - beginning: so every node's answer begins, and no web page does.
  func call(
    _ path: String, _ body: [UInt8], _ kind: Kind, within limit: Duration? = nil, beginning: String = #"{"header":"#
  ) async throws(ClientError) -> [UInt8] {
    let deadline = ContinuousClock.now + (limit ?? timeout)
    var reasons: [HostPort: String] = [:]
    var doubt: String?
    repeat {
      for endpoint in endpoints {
        let remaining = max(ContinuousClock.now.duration(to: deadline), .milliseconds(1))
        // What may be repeated leaves time for the other nodes, should this one hang.
        let limit = kind == .write ? remaining : max(remaining / endpoints.count, min(remaining, .milliseconds(500)))
        switch await attempt(endpoint, path, body, limit, beginning) {
        case .answer(let bytes): return bytes
        case .refused(let text): throw .refused(text)
        case .notANode(let text): throw .notANode("\(endpoint) \(text)")
        case .unreachable(let reason): reasons[endpoint] = reason.description
        case .notDone(let text): reasons[endpoint] = text
        case .unknown(let text) where kind == .write: throw .unknown("\(endpoint): \(text)")
        case .unknown(let text):
          reasons[endpoint] = text
          doubt = "\(endpoint): \(text)"
        }
        guard !Task.isCancelled, ContinuousClock.now < deadline else { break }
      }
      try? await Task.sleep(for: Self.pause)
    } while !Task.isCancelled && ContinuousClock.now < deadline
    if kind == .repeatable, let doubt { throw .unknown(doubt) }
    throw .unavailable(endpoints.map { "\($0): \(reasons[$0] ?? "not asked")" })
  }

  /// Asks one node, once.
  func call(_ endpoint: HostPort, _ path: String) async throws(ClientError) -> [UInt8] {
    switch await attempt(endpoint, path, Array("{}".utf8), timeout, #"{"header":"#) {
    case .answer(let bytes): return bytes
    case .refused(let text): throw .refused(text)
    case .notANode(let text): throw .notANode("\(endpoint) \(text)")
    case .unreachable(let reason): throw .unavailable(["\(endpoint): \(reason)"])
    case .notDone(let text), .unknown(let text): throw .unavailable(["\(endpoint): \(text)"])
    }
  }

  private enum Attempt {
    case answer([UInt8])
    case refused(String)
    case notANode(String)
    case unreachable(Unreachable)
    case notDone(String)
    case unknown(String)
  }

  private func attempt(_ endpoint: HostPort, _ path: String, _ body: [UInt8], _ limit: Duration, _ beginning: String) async -> Attempt {
    var request = request(endpoint, path)
    request.method = .POST
    request.headers.add(name: "Content-Type", value: "application/json")
    request.headers.add(name: "Grpc-Timeout", value: "\(max(1, Int64(limit / .milliseconds(1))))m")
    request.body = .bytes(body)
    do {
      let response = try await http.execute(request, deadline: .now() + TimeAmount(limit + Self.grace))
      let body = try await response.body.collect(upTo: Self.maximumAnswerBytes)
      return Self.classify(response.status, Array(body.readableBytesView), beginning)
    } catch {
      if let reason = Unreachable(error) {
        if reason == .refused { refusals.withLockedValue { _ = $0.insert(endpoint) } }
        return .unreachable(reason)
      }
      return .unknown(Self.words(error))
    }
  }

  private static func classify(_ status: HTTPResponseStatus, _ body: [UInt8], _ beginning: String) -> Attempt {
    if status == .ok, body.starts(with: beginning.utf8) { return .answer(body) }
    let text = "answered \(status): \(String(decoding: body.prefix(200), as: UTF8.self))"
    if status == .ok { return .unknown(text) }
    guard let error = try? JSONDecoder().decode(ErrorAnswer.self, from: Data(body)), error.code != nil else {
      if status == .notFound || status == .methodNotAllowed || (300..<400).contains(status.code) { return .notANode(text) }
      return status == .serviceUnavailable ? .notDone(text) : .unknown(text)
    }
    let reason = error.detail ?? error.message
    // Another one leads: it may be among the endpoints.
    if error.message == NodeAnswer.notLeader { return .notDone(reason) }
    return switch (error.outcome, status) {
    case ("unknown", _): .unknown(reason)
    case ("not done", .serviceUnavailable), ("not done", .tooManyRequests): .notDone(reason)
    default: .refused(reason)
    }
  }

  private static func words(_ error: any Error) -> String {
    switch error as? HTTPClientError {
    case .deadlineExceeded?, .readTimeout?: "no answer came in time"
    case .remoteConnectionClosed?: "the connection was closed before an answer came"
    default: "the connection failed: \(error)"
    }
  }
}

/// Why a request certainly reached no node.
enum Unreachable: Error, Equatable, CustomStringConvertible {
  case unknownHost
  case refused
  case timedOut
  /// In the system's words.
  case other(String)

  /// `nil` if the request may have been sent.
  init?(_ error: any Error) {
    switch error {
    case let error as NIOConnectionError:
      let reasons = error.connectionErrors.compactMap { Unreachable($0.error) }
      if error.connectionErrors.isEmpty, error.dnsAError != nil || error.dnsAAAAError != nil {
        self = .unknownHost
      } else {
        self = reasons.first { $0 == .timedOut } ?? reasons.first ?? .other("\(error)")
      }
    case let error as HTTPClientError where error == .connectTimeout || error == .getConnectionFromPoolTimeout: self = .timedOut
    case ChannelError.connectTimeout: self = .timedOut
    case let error as IOError:
      switch error.errnoCode {
      case ECONNREFUSED: self = .refused
      case ETIMEDOUT: self = .timedOut
      case EHOSTUNREACH, ENETUNREACH, EADDRNOTAVAIL: self = .other(String(cString: strerror(error.errnoCode)).lowercased())
      default: return nil
      }
    default: return nil
    }
  }

  var description: String {
    switch self {
    case .unknownHost: "cannot connect: unknown host"
    case .refused: "cannot connect: connection refused, nothing listens there"
    case .timedOut: "cannot connect: timed out"
    case .other(let text): "cannot connect: \(text)"
    }
  }
}
