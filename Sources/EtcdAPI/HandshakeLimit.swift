import NIOCore
import Sockets
import Synchronization

/// The connections of one port on which TLS is not agreed on yet. There is a bound on them: for one more, the oldest goes of the address
/// that has most of them, so that whoever opens many pushes out their own.
final class HandshakeLimit: Sendable {
  private struct Waiting {
    var channels: [String: [any Channel]] = [:]
    var count = 0

    mutating func remove(_ channel: any Channel, of host: String) {
      guard let index = channels[host]?.firstIndex(where: { $0 === channel }) else { return }
      channels[host]?.remove(at: index)
      if channels[host]?.isEmpty == true { channels[host] = nil }
      count -= 1
    }

    var mostDispensable: (host: String, channel: any Channel)? {
      channels.max { ($0.value.count, $0.key) < ($1.value.count, $1.key) }.flatMap { host, channels in
        channels.first.map { (host, $0) }
      }
    }
  }

  private let maximum: Int
  private let waiting = Mutex(Waiting())

  init(maximum: Int) { self.maximum = maximum }

  /// Returns what to call when TLS is agreed on; what had to go for this one is told to `evicted`, and closed.
  func admit(_ channel: any Channel, evicted: (any Channel) -> Void) -> @Sendable () -> Void {
    let host = channel.remoteAddress?.network ?? ""
    let victim = waiting.withLock { waiting -> (any Channel)? in
      waiting.channels[host, default: []].append(channel)
      waiting.count += 1
      guard waiting.count > maximum, let victim = waiting.mostDispensable else { return nil }
      waiting.remove(victim.channel, of: victim.host)
      return victim.channel
    }
    channel.closeFuture.whenComplete { [self] _ in end(channel, host) }
    if let victim {
      evicted(victim)
      victim.close(promise: nil)
    }
    return { [self] in end(channel, host) }
  }

  private func end(_ channel: any Channel, _ host: String) { waiting.withLock { $0.remove(channel, of: host) } }
}
