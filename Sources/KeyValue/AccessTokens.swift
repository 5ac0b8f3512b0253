import ByteCoding

/// The sessions that there are: of each the digest of its token, its user, and when it was issued. A copy is O(1), as those of the trees
/// that it is made of.
///
/// What is too old goes with the next token that is issued, by the time of that one: so all nodes drop the same, and a node whose clock was
/// wrong leaves nothing behind that would matter to those after it.
struct AccessTokens: Sequence, Sendable {
  /// Seconds that a token can be issued at.
  static let times: ClosedRange<Int64> = 0...1 << 62

  /// By the digest: the user, and the time in place of a revision.
  private var tokens = OrderedTree()
  /// By user, time and digest; and by time and digest.
  private var ofUsers = OrderedTree()
  private var byTime = OrderedTree()

  var count: Int { tokens.count }

  struct Token {
    let digest: [UInt8]
    let user: AccessName
    let issuedAt: Int64
  }

  /// In ascending order of their digests.
  func makeIterator() -> Iterator { Iterator(items: tokens.items(at: 0..<tokens.count)) }

  struct Iterator: IteratorProtocol, Sendable {
    fileprivate var items: OrderedTree.Items

    mutating func next() -> Token? { items.next().map(AccessTokens.token) }
  }

  func token(_ digest: [UInt8]) -> Token? { tokens.item(for: digest[...]).map(AccessTokens.token) }

  /// How many a user has.
  func count(of user: AccessName) -> Int { ofUsers.ranks(of: KeyRange(prefix: AccessTokens.key(user))).count }

  // MARK: Changes

  /// In place of those that are too old by this time, or too new; and of the oldest, of this user or of all, if there are too many.
  mutating func issue(_ grant: TokenGrant) {
    remove(grant.digest)
    let (oldest, newest) = (grant.issuedAt - Limits.tokenSeconds, grant.issuedAt + Limits.tokenSeconds)
    if oldest > 0 { remove(KeyRange(start: [0], end: AccessTokens.key(oldest))) }
    remove(KeyRange(start: AccessTokens.key(newest + 1), end: [0]))
    let ofUser = ofUsers.ranks(of: KeyRange(prefix: AccessTokens.key(grant.user)))
    if ofUser.count >= Limits.tokensOfUser { removeFirst(of: ofUsers.items(at: ofUser)) }
    if count >= Limits.tokens { removeFirst(of: byTime.items(at: 0..<1)) }
    insert(Token(digest: grant.digest, user: grant.user, issuedAt: grant.issuedAt))
  }

  mutating func insert(_ token: Token) {
    tokens.update(token.digest[...]) { _ in
      Item(key: token.digest[...], value: token.user.bytes[...], createRevision: token.issuedAt, modRevision: 0, version: 1)
    }
    let time = AccessTokens.key(token.issuedAt) + token.digest
    byTime.update(time[...]) { _ in Item(key: time[...], value: [], createRevision: 0, modRevision: 0, version: 1) }
    let place = AccessTokens.key(token.user) + time
    ofUsers.update(place[...]) { _ in Item(key: place[...], value: [], createRevision: 0, modRevision: 0, version: 1) }
  }

  mutating func remove(_ digest: [UInt8]) {
    guard let token = token(digest) else { return }
    let time = AccessTokens.key(token.issuedAt) + digest
    tokens.remove(digest[...])
    byTime.remove(time[...])
    ofUsers.remove((AccessTokens.key(token.user) + time)[...])
  }

  mutating func remove(of user: AccessName) {
    for item in ofUsers.items(at: ofUsers.ranks(of: KeyRange(prefix: AccessTokens.key(user)))) { remove(AccessTokens.digest(of: item)) }
  }

  private mutating func removeFirst(of items: OrderedTree.Items) {
    var items = items
    if let item = items.next() { remove(AccessTokens.digest(of: item)) }
  }

  private mutating func remove(_ times: KeyRange) {
    for item in byTime.items(at: byTime.ranks(of: times)) { remove(AccessTokens.digest(of: item)) }
  }

  // MARK: Bytes

  /// With its length before it, so that no name begins another.
  private static func key(_ user: AccessName) -> Key { withUnsafeBytes(of: UInt16(user.bytes.count).bigEndian) { Key($0) } + user.bytes }

  private static func key(_ time: Int64) -> Key { withUnsafeBytes(of: UInt64(time).bigEndian) { Key($0) } }

  private static func token(of item: Item) -> Token {
    Token(
      digest: item.withKey { Array($0) }, user: AccessName(item.withValue { String(decoding: $0, as: UTF8.self) }),
      issuedAt: item.createRevision)
  }

  /// - Parameter item: one of `ofUsers` or `byTime`.
  private static func digest(of item: Item) -> [UInt8] { item.withKey { Array($0.suffix(Limits.tokenDigestBytes)) } }

  func combine(into fingerprint: inout Fingerprint) {
    fingerprint.combine(UInt64(count))
    tokens.forEach { $0.combine(into: &fingerprint) }
  }
}
