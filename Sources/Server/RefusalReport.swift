import Coracle
import EtcdAPI
import Logging
import Metrics
import NIOConcurrencyHelpers
import NIOCore

/// Counts who was refused, and says so in the log once a second at most.
final class RefusalReport: Sendable {
  private let log: NIOLockedValueBox<RefusalLog>
  private let message: Logger.Message
  private let counters: [ClientRefusal.Reason: Counter]

  init(_ message: Logger.Message, logger: Logger) {
    self.message = message
    log = NIOLockedValueBox(RefusalLog(logger: logger))
    counters = ClientRefusal.Reason.allCases.reduce(into: [:]) { table, reason in
      table[reason] = Counter(label: "coracle_client_connections_refused_total", dimensions: [("reason", reason.rawValue)])
    }
  }

  func record(_ refusal: ClientRefusal) {
    counters[refusal.reason]?.increment()
    say(["address": "\(refusal.host ?? "unknown")", "reason": "\(refusal.text)"])
  }

  func say(_ metadata: Logger.Metadata) { log.withLockedValue { $0.record(message, metadata, now: .now()) } }
}
