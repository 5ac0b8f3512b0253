import Metrics
import NIOConcurrencyHelpers

/// Remembers what the counters of this process have counted.
final class CountingMetrics: MetricsFactory, Sendable {
  /// Those that are made after the first look at it.
  static let shared: CountingMetrics = {
    let metrics = CountingMetrics()
    MetricsSystem.bootstrap(metrics)
    return metrics
  }()

  private let counts = NIOLockedValueBox<[String: Int64]>([:])

  private final class Count: CounterHandler {
    let name: String
    let metrics: CountingMetrics

    init(_ name: String, _ metrics: CountingMetrics) { (self.name, self.metrics) = (name, metrics) }

    func increment(by amount: Int64) { metrics.counts.withLockedValue { $0[name, default: 0] += amount } }
    func reset() {}
  }

  private static func name(_ label: String, _ dimensions: [(String, String)]) -> String {
    ([label] + dimensions.map { "\($0.0)=\($0.1)" }.sorted()).joined(separator: " ")
  }

  func count(_ label: String, _ dimensions: [(String, String)]) -> Int64 {
    counts.withLockedValue { $0[Self.name(label, dimensions)] ?? 0 }
  }

  func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler { Count(Self.name(label, dimensions), self) }

  func makeRecorder(label: String, dimensions: [(String, String)], aggregate: Bool) -> any RecorderHandler { NOOPMetricsHandler.instance }
  func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler { NOOPMetricsHandler.instance }
  func destroyCounter(_ handler: any CounterHandler) {}
  func destroyRecorder(_ handler: any RecorderHandler) {}
  func destroyTimer(_ handler: any TimerHandler) {}
}
