import Foundation
import Hummingbird
import HummingbirdTesting
import Links

@testable import ShortLinks

/// A service over a store whose faults the test decides, with a fixed clock and a counting "random" generator.
struct Harness {
  let store = TestStore()
  var random: @Sendable () -> UInt64 = { .random(in: .min ... .max) }
  var maximumImportBytes = 1 << 20

  /// Every method and path that there is, with names in place of what stands for some.
  var routes: [(method: HTTPRequest.Method, path: String)] {
    let routes = LinkServer(store: store, configuration: configuration).router().routes.map {
      (method: $0.method, path: $0.path.description.replacing("{slug}", with: "docs"))
    }
    // HEAD goes with GET, and is not listed.
    return routes + routes.filter { $0.method == .get }.map { (.head, $0.path) }
  }

  private var configuration: LinkServerConfiguration {
    var configuration = LinkServerConfiguration(owner: CounterOwner(1))
    configuration.flushInterval = .milliseconds(5)
    configuration.nowSeconds = { 1_700_000_000 }
    configuration.random = random
    configuration.maximumImportBytes = maximumImportBytes
    configuration.logger.logLevel = .critical
    return configuration
  }

  func run(_ setup: TestingSetup = .router, _ test: @Sendable (Client) async throws -> Void) async throws {
    try await LinkServer(store: store, configuration: configuration).application().test(setup) { try await test(Client(http: $0)) }
  }
}

struct Client: Sendable {
  let http: any TestClientProtocol

  func get(_ uri: String, _ headers: HTTPFields = [:]) async throws -> TestResponse { try await send(.get, uri, headers) }

  func send(_ method: HTTPRequest.Method, _ uri: String, _ headers: HTTPFields = [:], _ body: String? = nil) async throws -> TestResponse {
    try await http.executeRequest(uri: uri, method: method, headers: headers, body: body.map { ByteBuffer(string: $0) })
  }

  func create(_ slug: String? = nil, _ target: String) async throws -> TestResponse {
    let slug = slug.map { ",\"slug\":\"\($0)\"" } ?? ""
    return try await send(.post, "/_links", [.contentType: "application/json"], "{\"target\":\"\(target)\"\(slug)}")
  }

  /// Waits for a count: visits are flushed in the background.
  func visits(of slug: String, reach count: Int) async throws -> Bool {
    for _ in 0..<2000 {
      if try await get("/_links/\(slug)").json["visits"] as? Int == count { return true }
      try await Task.sleep(for: .milliseconds(2))
    }
    return false
  }
}

extension TestResponse {
  var text: String { String(buffer: body) }

  var json: [String: Any] {
    get throws { try JSONSerialization.jsonObject(with: Data(body.readableBytesView)) as? [String: Any] ?? [:] }
  }

  var errorCode: String? { ((try? json)?["error"] as? [String: Any])?["code"] as? String }
}
