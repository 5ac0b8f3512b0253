import KeyValue

/// What is stored for a slug.
public struct Link: Hashable, Sendable {
  public var target: Target
  /// When it was made, in seconds since 1970 UTC, by the clock of the node that made it. Not changed by an edit.
  public var createdSeconds: UInt64
  /// Visits from before it was stored here, brought along by an import. The count shown is this and the counters together.
  public var carriedVisits: UInt64

  public init(target: Target, createdSeconds: UInt64, carriedVisits: UInt64 = 0) {
    self.target = target
    self.createdSeconds = createdSeconds
    self.carriedVisits = carriedVisits
  }
}

extension Link {
  /// `1 <created seconds> <carried visits> <target>`: the leading number is the format's version. Readable, so that an operator sees with
  /// any client of the store where a link leads; no field can hold a space, so that there is one way to read it.
  public var encoded: Value { Value("1 \(createdSeconds) \(carriedVisits) \(target)".utf8) }

  /// `nil` if the bytes are of another format or version, or break a rule of `Target`: nobody is sent to an address that was not checked.
  public init?(encoded: Value) {
    let fields = encoded.split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
    guard fields.count == 4, fields[0].elementsEqual("1".utf8),
      let created = UInt64(decimal: fields[1]), let visits = UInt64(decimal: fields[2]),
      let text = String(validating: fields[3], as: UTF8.self), let target = try? Target(text)
    else { return nil }
    self.init(target: target, createdSeconds: created, carriedVisits: visits)
  }
}

/// One life of a slug. After a delete and a new create, the slug is the same, but the revision that made it is not: visits of the old
/// link never count for the new one.
public struct LinkIdentity: Hashable, Sendable {
  public var slug: Slug
  public var createRevision: Revision

  public init(slug: Slug, createRevision: Revision) {
    self.slug = slug
    self.createRevision = createRevision
  }
}

/// A link as the store has it.
public struct StoredLink: Hashable, Sendable {
  public var slug: Slug
  public var link: Link
  public var createRevision: Revision
  /// The revision of its last edit; what an edit or a delete compares.
  public var modRevision: Revision

  public init(slug: Slug, link: Link, createRevision: Revision, modRevision: Revision) {
    self.slug = slug
    self.link = link
    self.createRevision = createRevision
    self.modRevision = modRevision
  }

  public var identity: LinkIdentity { LinkIdentity(slug: slug, createRevision: createRevision) }
}
