import Coracle
import EtcdAPI
import Foundation
import KeyValue
import ServiceLifecycle

/// What the first node of a new cluster prints: the line with which others join.
struct Welcome: Service {
  let node: Node<KeyValueMachine>
  let calls: CertificationCalls

  private static let uses = 8
  private static let life = 24 * 3600.0

  func run() async throws {
    do {
      try await cancelWhenGracefulShutdown {
        try await node.waitUntilStarted()
        while true {
          do {
            return tell(try await calls.makeToken(.init(uses: Self.uses, seconds: Self.life)).token)
          } catch let error where !(error is CancellationError) {
            try await Task.sleep(for: .milliseconds(200))
          }
        }
      }
    } catch is CancellationError {
      return
    }
    // The end of a service ends all.
    try? await gracefulShutdown()
  }

  private func tell(_ token: String) {
    Output.tell(
      """
      This server is a cluster of one now. On each other server that is to belong to it, type (within a day, on \(Self.uses) at most):

        coracle join \(calls.address) --token \(token) --host NAME-OR-ADDRESS-OF-THAT-SERVER

      Whoever has this line can join: keep it to yourself. `coracle token create` makes another one.
      """)
  }
}
