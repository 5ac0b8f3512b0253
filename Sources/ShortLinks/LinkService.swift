import KeyValue
import Links
import Synchronization

/// What the service does with links, without HTTP. What changes or lists links is done on somebody's behalf, always: so the store itself
/// says whether that one may, even if it has users that this node has not heard of yet.
struct LinkService<Store: LinkStore>: Sendable {
  /// Attempts to find a random slug that is free. With a million links, eight failures in a row come once in 10⁵⁰ creates: then the
  /// generator is at fault.
  static var randomSlugAttempts: Int { 8 }
  /// Attempts to edit a link that others edit at the same time.
  static var editAttempts: Int { 4 }

  let store: Store
  let links: LinkShortener
  let nowSeconds: @Sendable () -> UInt64
  let random: @Sendable () -> UInt64

  enum Created: Sendable {
    case new(StoredLink)
    /// The very link was there already; so a create whose outcome was unknown can be repeated.
    case same(StoredLink)
  }

  /// Makes a link under a slug of the caller's choice.
  func create(_ slug: Slug, _ target: Target, for subject: Subject) async throws(ServiceError) -> Created {
    switch try await apply(links.create(slug, Link(target: target, createdSeconds: nowSeconds())), slug: slug, subject) {
    case .created(let link): return .new(link)
    case .exists(let link) where link.link.target == target: return .same(link)
    case .exists: throw .link(.taken(slug))
    }
  }

  /// Makes a link under a random slug.
  func create(_ target: Target, for subject: Subject) async throws(ServiceError) -> Created {
    for _ in 0..<Self.randomSlugAttempts {
      let slug = Slug(random: random())
      let link = Link(target: target, createdSeconds: nowSeconds())
      if case .created(let stored) = try await apply(links.create(slug, link), slug: slug, subject) { return .new(stored) }
    }
    throw .noFreeSlug
  }

  /// Makes the link of a row of an import.
  func create(_ row: LinkRow, for subject: Subject) async throws(ServiceError) -> ImportSummary.Outcome {
    .init(of: row, try await apply(links.create(row.slug, row.link(nowSeconds: nowSeconds())), slug: row.slug, subject))
  }

  /// - Parameter revision: the revision that the link must have; `nil` for whatever it has.
  func edit(_ slug: Slug, _ target: Target, revision: Int64?, for subject: Subject) async throws(ServiceError) -> StoredLink {
    var current = try await read(links.get(slug), for: subject, allowStale: false).outcome
    for _ in 0..<Self.editAttempts {
      guard let link = current else { throw .link(.missing(slug)) }
      if let revision, link.modRevision != revision { throw .link(.changed(slug)) }
      switch try await apply(links.edit(link, target: target), slug: slug, subject) {
      case .edited(let edited): return edited
      case .changed(let now): current = now
      }
    }
    throw .link(.changed(slug))
  }

  /// - Parameter revision: the revision that the link must have; `nil` for whatever it has.
  func delete(_ slug: Slug, revision: Int64?, for subject: Subject) async throws(ServiceError) {
    switch try await apply(links.delete(slug, revision: revision), slug: slug, subject) {
    case .deleted: return
    case .missing: throw .link(.missing(slug))
    case .changed: throw .link(.changed(slug))
    }
  }
}

extension LinkService {
  /// Links with their visits, as one node sees them.
  struct Listing: Sendable {
    var links: [(stored: StoredLink, visits: UInt64)]
    var damaged: [String] = []
    var next: Slug?
    var isStale: Bool
  }

  /// Where a link leads, for whoever asks. It comes from this node's own state, so that redirects go on without a quorum. Only a link that
  /// this node does not know, while it may lag behind, is asked for: nobody is told that a link does not exist merely because this node has
  /// not heard of it.
  func resolve(_ slug: Slug) async throws(ServiceError) -> StoredLink {
    let (known, isStale) = try await read(links.get(slug), for: nil, allowStale: true)
    if let known { return known }
    guard isStale, let link = try await read(links.get(slug), for: nil, allowStale: false).outcome else { throw .link(.missing(slug)) }
    return link
  }

  func show(_ slug: Slug, for subject: Subject) async throws(ServiceError) -> Listing {
    let (link, isStale) = try await read(links.get(slug), for: subject, allowStale: true)
    guard let link else { throw isStale ? .store(.unavailable) : .link(.missing(slug)) }
    return try await withVisits([link], isStale: isStale, subject)
  }

  func list(after slug: Slug?, limit: Int, for subject: Subject) async throws(ServiceError) -> Listing {
    let (page, isStale) = try await read(links.list(after: slug, limit: limit), for: subject, allowStale: true)
    var listing = try await withVisits(page.links, isStale: isStale, subject)
    listing.damaged = page.damaged
    listing.next = page.next
    return listing
  }

  /// The links made last, without their visits.
  func recent(limit: Int, for subject: Subject) async throws(ServiceError) -> [StoredLink] {
    try await read(links.recent(limit: limit), for: subject, allowStale: true).outcome.links
  }

  private func withVisits(_ page: [StoredLink], isStale: Bool, _ subject: Subject) async throws(ServiceError) -> Listing {
    guard let first = page.first, let last = page.last else { return Listing(links: [], isStale: isStale) }
    let (visits, visitsAreStale) = try await read(links.visits(from: first.slug, through: last.slug), for: subject, allowStale: true)
    return Listing(links: page.map { ($0, visits.count(of: $0)) }, isStale: isStale || visitsAreStale)
  }

  private func apply<Outcome>(_ change: LinkChange<Outcome>, slug: Slug, _ subject: Subject) async throws(ServiceError) -> Outcome {
    let answer: Response
    do {
      answer = try await store.perform(.onBehalf(of: subject, change.request))
    } catch .outcomeUnknown {
      throw .outcomeUnknown(slug)
    } catch {
      throw .store(error)
    }
    return try understood { () throws(LinkError) in try change.outcome(of: answer) }
  }

  private func read<Outcome>(
    _ query: LinkQuery<Outcome>, for subject: Subject?, allowStale: Bool
  ) async throws(ServiceError) -> (outcome: Outcome, isStale: Bool) {
    let reading: StoreReading
    do {
      reading = try await store.read(query.request, for: subject, allowStale: allowStale)
    } catch {
      throw .store(error)
    }
    return (try understood { () throws(LinkError) in try query.outcome(of: reading.answer) }, reading.isStale)
  }

  private func understood<Outcome>(_ interpret: () throws(LinkError) -> Outcome) throws(ServiceError) -> Outcome {
    do {
      return try interpret()
    } catch {
      throw .link(error)
    }
  }
}

#if canImport(FoundationEssentials)
  import FoundationEssentials
#else
  import Foundation
#endif

/// The time of day, which no decision depends on: it is only shown.
enum SystemClock {
  /// Zero before 1970.
  static var secondsSince1970: UInt64 { UInt64(max(0, Date().timeIntervalSince1970)) }
}

/// The links made last, kept for a moment as long as there are no users: then the start page is open to all.
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

  func links(for subject: Subject) async throws(ServiceError) -> [StoredLink] {
    guard subject == .nobody else { return try await service.recent(limit: Self.count, for: subject) }
    let now = ContinuousClock.now
    if let fresh = known.withLock({ $0 }), now < fresh.until { return fresh.links }
    let links = try await service.recent(limit: Self.count, for: subject)
    known.withLock { $0 = Known(links: links, until: now + Self.lifetime) }
    return links
  }

  func forget() { known.withLock { $0 = nil } }
}
