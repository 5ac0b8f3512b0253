import KeyValue

/// Where things are in the store; `Docs/Links.md` has the table.
///
/// Between the parts of a counter's key stands a comma, which is less than every character of a slug: so counters are in the order of
/// their slugs, and the counters of a page of links are one range.
public struct LinkKeys: Hashable, Sendable {
  private let links: Key
  private let visits: Key
  private let counters: Key

  /// - Parameter prefix: what all keys begin with, so that a store can be shared: `shop/` makes `shop/links/…`.
  public init(prefix: String = "") {
    links = Key("\(prefix)links/".utf8)
    visits = Key("\(prefix)visits/".utf8)
    counters = Key("\(prefix)counters/".utf8)
  }

  func link(_ slug: Slug) -> Key { links + slug.text.utf8 }

  func counter(_ link: LinkIdentity, _ owner: CounterOwner) -> Key {
    visits + "\(link.slug),\(UInt64(bitPattern: link.createRevision).hexadecimal),\(owner)".utf8
  }

  /// Written by every flush of the owner, so that its flushes have one order.
  func fence(_ owner: CounterOwner) -> Key { counters + "\(owner)".utf8 }

  /// The links after this one, or all.
  func links(after slug: Slug?) -> KeyRange {
    KeyRange(start: slug.map { link($0) + [0] } ?? links, end: successor(of: links))
  }

  /// The counters of these links and those between, of every owner and every life.
  func counters(from first: Slug, through last: Slug) -> KeyRange {
    let separator = UInt8(ascii: ",")
    return KeyRange(start: visits + first.text.utf8 + [separator], end: visits + last.text.utf8 + [separator + 1])
  }

  func slug(ofLink key: Key) -> Slug? {
    guard key.starts(with: links), let text = String(validating: key.dropFirst(links.count), as: UTF8.self) else { return nil }
    return try? Slug(text)
  }

  func identity(ofCounter key: Key) -> LinkIdentity? {
    guard key.starts(with: visits) else { return nil }
    let parts = key.dropFirst(visits.count).split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false)
    guard parts.count == 3, let text = String(validating: parts[0], as: UTF8.self), let slug = try? Slug(text),
      let revision = UInt64(hexadecimal: parts[1]), UInt64(hexadecimal: parts[2]) != nil
    else { return nil }
    return LinkIdentity(slug: slug, createRevision: Revision(bitPattern: revision))
  }

  /// The least key that does not begin with `prefix`, which ends in a slash.
  private func successor(of prefix: Key) -> Key { prefix.dropLast() + [UInt8(ascii: "/") + 1] }
}

/// Who counts: one node, under the same number after every restart. A number of its own for each start would leave a set of counters
/// behind each time.
public struct CounterOwner: Hashable, Sendable, CustomStringConvertible {
  public let rawValue: UInt64

  public init(_ rawValue: UInt64) { self.rawValue = rawValue }

  public var description: String { rawValue.hexadecimal }
}
