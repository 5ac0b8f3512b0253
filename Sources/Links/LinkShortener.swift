import KeyValue

/// The operations of a link shortener, as requests to a key-value store. It holds no state: every rule that needs the state is a
/// comparison within the transaction, so it holds whatever else happens at the same time.
///
/// Every change may be repeated when its outcome is unknown: a create that finds its own link, an edit and a delete that find their work
/// done, change nothing more. See the outcomes.
public struct LinkShortener: Sendable {
  /// Most links on one page.
  public static let maximumPage = 500

  public let keys: LinkKeys

  public init(keys: LinkKeys = LinkKeys()) { self.keys = keys }
}

extension LinkShortener {
  public enum Creation: Hashable, Sendable {
    case created(StoredLink)
    /// The slug was there already; nothing was changed. After a create whose outcome was unknown, the same target and time mean that it
    /// was done.
    case exists(StoredLink)
  }

  public func create(_ slug: Slug, _ link: Link) -> LinkChange<Creation> {
    let key = KeyRange(start: keys.link(slug), end: nil)
    let request = TransactionRequest(
      comparisons: [Comparison(range: key, relation: .equal, operand: .createRevision(0))],
      success: [.put(PutRequest(key: key.start, value: link.encoded))],
      failure: [.range(RangeRequest(range: key))])
    return LinkChange(.transaction(request)) { [keys] answer throws(LinkError) in
      let (succeeded, responses) = try answer.result.transaction()
      if succeeded {
        return .created(StoredLink(slug: slug, link: link, createRevision: answer.revision, modRevision: answer.revision))
      }
      guard let existing = try Self.link(in: responses, keys) else { throw .unexpectedAnswer }
      return .exists(existing)
    }
  }

  public enum Edit: Hashable, Sendable {
    case edited(StoredLink)
    /// The link is not as it was read: this is how it is now, or `nil` if it is gone. After an edit whose outcome was unknown, the wanted
    /// target means that it was done.
    case changed(StoredLink?)
  }

  /// Lets a link that was read lead elsewhere, if nobody changed it since. Its time and its visits stay.
  public func edit(_ current: StoredLink, target: Target) -> LinkChange<Edit> {
    let key = KeyRange(start: keys.link(current.slug), end: nil)
    var link = current.link
    link.target = target
    let edited = link
    let request = TransactionRequest(
      comparisons: [Comparison(range: key, relation: .equal, operand: .modRevision(current.modRevision))],
      success: [.put(PutRequest(key: key.start, value: edited.encoded))],
      failure: [.range(RangeRequest(range: key))])
    return LinkChange(.transaction(request)) { [keys] answer throws(LinkError) in
      let (succeeded, responses) = try answer.result.transaction()
      guard succeeded else { return .changed(try Self.link(in: responses, keys)) }
      var stored = current
      stored.link = edited
      stored.modRevision = answer.revision
      return .edited(stored)
    }
  }

  public enum Deletion: Hashable, Sendable {
    case deleted
    /// There is no such link. After a delete whose outcome was unknown, this means that it is done.
    case missing
    /// The link was changed since the revision that was given.
    case changed(StoredLink)
  }

  /// Deletes a link and its counters, as one change.
  /// - Parameter revision: the `modRevision` that the link must still have; `nil` for whatever there is.
  public func delete(_ slug: Slug, revision: Revision? = nil) -> LinkChange<Deletion> {
    let key = KeyRange(start: keys.link(slug), end: nil)
    let condition =
      revision.map { Comparison(range: key, relation: .equal, operand: .modRevision($0)) }
      ?? Comparison(range: key, relation: .greater, operand: .createRevision(0))
    let request = TransactionRequest(
      comparisons: [condition],
      success: [.delete(DeleteRequest(range: key)), .delete(DeleteRequest(range: keys.counters(from: slug, through: slug)))],
      failure: [.range(RangeRequest(range: key))])
    return LinkChange(.transaction(request)) { [keys] answer throws(LinkError) in
      let (succeeded, responses) = try answer.result.transaction()
      if succeeded { return .deleted }
      return try Self.link(in: responses, keys).map { .changed($0) } ?? .missing
    }
  }

  private static func link(in responses: [OperationResult], _ keys: LinkKeys) throws(LinkError) -> StoredLink? {
    guard let response = responses.first else { throw .unexpectedAnswer }
    return try link(in: response.range(), keys)
  }

  static func link(in range: RangeResponse, _ keys: LinkKeys) throws(LinkError) -> StoredLink? {
    guard let pair = range.pairs.first else { return nil }
    return try StoredLink(pair, keys)
  }
}

extension StoredLink {
  init(_ pair: KeyValuePair, _ keys: LinkKeys) throws(LinkError) {
    guard let slug = keys.slug(ofLink: pair.key), let link = Link(encoded: pair.value) else {
      throw .damaged(key: String(decoding: pair.key, as: UTF8.self))
    }
    self.init(slug: slug, link: link, createRevision: pair.createRevision, modRevision: pair.modRevision)
  }
}
