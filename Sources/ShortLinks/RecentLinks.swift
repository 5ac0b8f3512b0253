import Links
import Synchronization

/// The links made last, kept for a moment: the start page is open to all.
final class RecentLinks<Store: LinkStore>: Sendable {
  static var count: Int { 10 }
  static var lifetime: Duration { .seconds(1) }

  private struct Known {
    var links: [StoredLink]
    var until: ContinuousClock.Instant
  }

  private let service: LinkService<Store>
  private let known = Mutex<Known?>(nil)

  init(service: LinkService<Store>) { self.service = service }

  func links() async throws(ServiceError) -> [StoredLink] {
    let now = ContinuousClock.now
    if let fresh = known.withLock({ $0 }), now < fresh.until { return fresh.links }
    let links = try await service.recent(limit: Self.count)
    known.withLock { $0 = Known(links: links, until: now + Self.lifetime) }
    return links
  }

  func forget() { known.withLock { $0 = nil } }
}
