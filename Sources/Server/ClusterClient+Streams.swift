import AsyncHTTPClient
import Coracle
import EtcdAPI
import Foundation
import NIOCore
import NIOHTTP1

/// What takes as long as it takes: streams, and requests that wait for others.
extension ClusterClient {
  /// Asks one node after the other for a stream, and hands each line to `take` until that says that it has enough. A stream that breaks is
  /// asked for again, at the next node, with the body of then. For as long as no node can be reached, it goes on trying for `timeout`.
  func stream(
    _ path: String, _ body: () -> [UInt8], _ take: ([UInt8]) throws(ClientError) -> Bool
  ) async throws(ClientError) {
    var deadline = ContinuousClock.now + timeout
    var reasons: [String] = []
    var number = 0
    while ContinuousClock.now < deadline {
      let endpoint = endpoints[number % endpoints.count]
      number += 1
      let begun = ContinuousClock.now
      do {
        if try await lines(of: endpoint, path, body(), take) { return }
        reasons.append("\(endpoint): the stream ended")
      } catch let error as ClientError {
        guard case .unavailable(let text) = error else { throw error }
        reasons += text
      } catch {
        reasons.append("\(endpoint): \(Unreachable(error)?.description ?? "the connection failed: \(error)")")
      }
      try? await Task.sleep(for: .milliseconds(100))
      guard !Task.isCancelled else { break }
      // It went well for a while.
      if ContinuousClock.now - begun > .seconds(1) { deadline = ContinuousClock.now + timeout }
    }
    throw .unavailable(Array(reasons.suffix(endpoints.count)))
  }

  /// Whether `take` had enough; not, if the node ended the stream.
  private func lines(
    of endpoint: HostPort, _ path: String, _ body: [UInt8], _ take: ([UInt8]) throws(ClientError) -> Bool
  ) async throws -> Bool {
    let response = try await begin(streams, endpoint, path, body)
    guard response.status == .ok else { throw Self.error(endpoint, try await collect(response), response.status) }
    var line: [UInt8] = []
    for try await part in response.body {
      for byte in part.readableBytesView {
        guard byte == UInt8(ascii: "\n") else {
          line.append(byte)
          continue
        }
        if try take(line) { return true }
        line.removeAll()
      }
    }
    return false
  }

  /// Waits for one node's answer however long it takes. The node is asked all the while whether it is there: one that is gone without a
  /// word must not be waited for.
  func wait(_ endpoint: HostPort, _ path: String, _ body: [UInt8]) async throws(ClientError) -> [UInt8] {
    let answer = await withTaskGroup(of: Result<[UInt8], ClientError>.self) { group in
      group.addTask { await self.answer(of: endpoint, path, body) }
      group.addTask {
        var silent = 0
        while !Task.isCancelled, silent < Self.mostSilences {
          try? await Task.sleep(for: Self.probeInterval)
          silent = (try? await self.call(endpoint, "/v3/maintenance/status")) == nil ? silent + 1 : 0
        }
        return .failure(.unavailable(["\(endpoint): it does not answer any more"]))
      }
      defer { group.cancelAll() }
      return await group.next() ?? .failure(.unavailable([]))
    }
    return try answer.get()
  }

  private static let probeInterval = Duration.seconds(2)
  private static let mostSilences = 3

  private func answer(of endpoint: HostPort, _ path: String, _ body: [UInt8]) async -> Result<[UInt8], ClientError> {
    do {
      let response = try await begin(http, endpoint, path, body)
      let bytes = try await collect(response)
      return response.status == .ok ? .success(bytes) : .failure(Self.error(endpoint, bytes, response.status))
    } catch {
      return .failure(.unavailable(["\(endpoint): \(Unreachable(error)?.description ?? "the connection failed: \(error)")"]))
    }
  }

  private func begin(_ client: HTTPClient, _ endpoint: HostPort, _ path: String, _ body: [UInt8]) async throws -> HTTPClientResponse {
    var request = request(endpoint, path)
    request.method = .POST
    request.headers.add(name: "Content-Type", value: "application/json")
    request.body = .bytes(body)
    return try await client.execute(request, deadline: .distantFuture)
  }

  private func collect(_ response: HTTPClientResponse) async throws -> [UInt8] {
    Array(try await response.body.collect(upTo: 1 << 20).readableBytesView)
  }

  /// `unavailable` if another node may do it.
  private static func error(_ endpoint: HostPort, _ body: [UInt8], _ status: HTTPResponseStatus) -> ClientError {
    guard let error = try? JSONDecoder().decode(ErrorAnswer.self, from: Data(body)), error.code != nil else {
      return .notANode("\(endpoint) answered \(status)")
    }
    let text = error.detail ?? error.message
    return status == .serviceUnavailable || status == .tooManyRequests ? .unavailable(["\(endpoint): \(text)"]) : .refused(text)
  }
}
