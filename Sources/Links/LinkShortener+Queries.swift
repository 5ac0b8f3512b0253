import KeyValue

extension LinkShortener {
  /// The link, or `nil` if there is none.
  public func get(_ slug: Slug) -> LinkQuery<StoredLink?> {
    LinkQuery(RangeRequest(range: KeyRange(start: keys.link(slug), end: nil))) { [keys] answer throws(LinkError) in
      try Self.link(in: answer.result.range(), keys)
    }
  }

  /// Some of the links.
  public struct Page: Hashable, Sendable {
    public var links: [StoredLink]
    /// Keys whose values cannot be read. They do not hide the others.
    public var damaged: [String]
    /// The last slug of a page that is not the last one: what `list(after:)` goes on from.
    public var next: Slug?
  }

  /// A page of links, in the order of their slugs.
  /// - Parameters:
  ///   - slug: the last one seen; `nil` for the first page.
  ///   - limit: how many links, between 1 and `maximumPage`; what is beyond is brought to the nearer of them.
  public func list(after slug: Slug? = nil, limit: Int) -> LinkQuery<Page> {
    page(RangeRequest(range: keys.links(after: slug), limit: Self.bounded(limit), order: .ascending))
  }

  /// The links made last, the newest first. The store finds them without looking at the others.
  /// - Parameter limit: as with `list`.
  public func recent(limit: Int) -> LinkQuery<Page> {
    page(RangeRequest(range: keys.links(after: nil), limit: Self.bounded(limit), order: .descending, target: .createRevision))
  }

  private static func bounded(_ limit: Int) -> Int64 { Int64(min(max(limit, 1), maximumPage)) }

  private func page(_ request: RangeRequest) -> LinkQuery<Page> {
    LinkQuery(request) { [keys] answer throws(LinkError) in
      let range = try answer.result.range()
      var page = Page(links: [], damaged: [], next: nil)
      for pair in range.pairs {
        do throws(LinkError) {
          page.links.append(try StoredLink(pair, keys))
        } catch {
          page.damaged.append(String(decoding: pair.key, as: UTF8.self))
        }
      }
      if range.more { page.next = range.pairs.last.flatMap { keys.slug(ofLink: $0.key) } }
      return page
    }
  }

  /// How often links were visited.
  public struct Visits: Hashable, Sendable {
    private var counts: [LinkIdentity: UInt64] = [:]

    fileprivate mutating func add(_ count: UInt64, to link: LinkIdentity) {
      counts[link] = (counts[link] ?? 0).addingSaturated(count)
    }

    /// Every visit in it is committed: it is never taken back, whatever fails.
    public func count(of stored: StoredLink) -> UInt64 {
      (counts[stored.identity] ?? 0).addingSaturated(stored.link.carriedVisits)
    }
  }

  /// The visits of one link.
  public func visits(of slug: Slug) -> LinkQuery<Visits> { visits(from: slug, through: slug) }

  /// The visits of the links of a page. The answer holds a counter for each link and node that counted visits of it, so it is bounded by
  /// the page. Counters that cannot be read count as none.
  public func visits(from first: Slug, through last: Slug) -> LinkQuery<Visits> {
    LinkQuery(RangeRequest(range: keys.counters(from: first, through: last))) { [keys] answer throws(LinkError) in
      var visits = Visits()
      for pair in try answer.result.range().pairs {
        guard let link = keys.identity(ofCounter: pair.key), let count = UInt64(decimal: pair.value) else { continue }
        visits.add(count, to: link)
      }
      return visits
    }
  }
}
