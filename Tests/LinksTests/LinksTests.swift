import KeyValue
import Links
import LocalStore
import Testing

@Suite struct LinksTests {
  private let links = LinkShortener(keys: LinkKeys(prefix: "shop/"))
  private let first: Link
  private let second: Target
  private let slug: Slug

  init() throws {
    first = Link(target: try Target("https://one.example/"), createdSeconds: 1_700_000_000, carriedVisits: 3)
    second = try Target("https://two.example/")
    slug = try Slug("docs")
  }

  private func get(_ slug: Slug, _ store: LocalStore) throws -> StoredLink? {
    let query = links.get(slug)
    return try query.outcome(of: store.read(query.request))
  }

  private func apply<Outcome>(_ change: LinkChange<Outcome>, _ store: inout LocalStore) throws -> Outcome {
    try change.outcome(of: store.perform(change.request))
  }

  @Test func createsOnceAndTellsWhatIsThere() throws {
    var store = LocalStore()
    guard case .created(let stored) = try apply(links.create(slug, first), &store) else { throw NotDone() }
    #expect(try get(slug, store) == stored)
    #expect(stored.link == first)
    #expect(try apply(links.create(slug, first), &store) == .exists(stored))
    #expect(try apply(links.create(slug, Link(target: second, createdSeconds: 1)), &store) == .exists(stored))
    #expect(try get(Slug("DOCS"), store) == nil)
  }

  @Test func storesReadableText() throws {
    var store = LocalStore()
    _ = try apply(links.create(slug, first), &store)
    #expect(String(decoding: store.pairs[0].key, as: UTF8.self) == "shop/links/docs")
    #expect(String(decoding: store.pairs[0].value, as: UTF8.self) == "1 1700000000 3 https://one.example/")
    #expect(Link(encoded: store.pairs[0].value) == first)
  }

  @Test(arguments: [
    "", "1", "2 1 0 https://a.example/", "1 1 0 javascript:x", "1 -1 0 https://a.example/", "1 01 0 https://a.example/",
    "1 1 https://a.example/", "1 1 0 https://a.example/ x", "1 18446744073709551616 0 https://a.example/", "1  0 https://a.example/",
  ])
  func refusesOtherRecords(_ text: String) {
    #expect(Link(encoded: Array(text.utf8)) == nil)
  }

  @Test func editsWhatWasReadAndNothingElse() throws {
    var store = LocalStore()
    guard case .created(let stored) = try apply(links.create(slug, first), &store) else { throw NotDone() }
    let edit = links.edit(stored, target: second)
    guard case .edited(let edited) = try apply(edit, &store) else { throw NotDone() }
    #expect(try get(slug, store) == edited)
    #expect(edited.link.target == second)
    #expect(edited.link.createdSeconds == first.createdSeconds)
    #expect(edited.createRevision == stored.createRevision)
    #expect(try apply(edit, &store) == .changed(edited))
    _ = try apply(links.delete(slug), &store)
    #expect(try apply(edit, &store) == .changed(nil))
    #expect(try get(slug, store) == nil)
  }

  @Test func deletesOnlyTheRevisionThatIsMeant() throws {
    var store = LocalStore()
    guard case .created(let stored) = try apply(links.create(slug, first), &store) else { throw NotDone() }
    guard case .edited(let edited) = try apply(links.edit(stored, target: second), &store) else { throw NotDone() }
    #expect(try apply(links.delete(slug, revision: stored.modRevision), &store) == .changed(edited))
    #expect(try apply(links.delete(slug, revision: edited.modRevision), &store) == .deleted)
    #expect(try apply(links.delete(slug), &store) == .missing)
    #expect(store.pairs.isEmpty)
  }

  @Test(arguments: [1, 2, 3, 7, 500, 9999]) func listsEveryLinkOnce(limit: Int) throws {
    var store = LocalStore()
    let slugs = try ["a", "a-b", "a_b", "A", "ab", "0", "b"].map { try Slug($0) }
    for slug in slugs { _ = try apply(links.create(slug, first), &store) }
    _ = try store.perform(.put(PutRequest(key: Array("shop/linkt".utf8), value: [])))
    _ = try store.perform(.put(PutRequest(key: Array("shop/visits/a,x".utf8), value: [])))
    var seen: [Slug] = []
    var after: Slug?
    repeat {
      let query = links.list(after: after, limit: limit)
      let page = try query.outcome(of: store.read(query.request))
      #expect(page.links.count <= limit)
      seen += page.links.map(\.slug)
      after = page.next
    } while after != nil
    #expect(seen == slugs.sorted())
  }

  @Test func listsTheNewestFirst() throws {
    var store = LocalStore()
    for slug in ["b", "c", "a"] { _ = try apply(links.create(Slug(slug), first), &store) }
    guard let b = try get(Slug("b"), store) else { throw NotDone() }
    _ = try apply(links.edit(b, target: second), &store)
    let query = links.recent(limit: 2)
    let recent = try query.outcome(of: store.read(query.request))
    #expect(recent.links.map(\.slug.text) == ["a", "c"], "an edit does not make a link anew")
  }

  @Test func showsTheOthersWhenOneIsDamaged() throws {
    var store = LocalStore()
    _ = try apply(links.create(slug, first), &store)
    _ = try store.perform(.put(PutRequest(key: Array("shop/links/bad".utf8), value: [0xff])))
    let query = links.list(limit: 10)
    let page = try query.outcome(of: store.read(query.request))
    #expect(page.links.map(\.slug) == [slug])
    #expect(page.damaged == ["shop/links/bad"])
    let bad = try Slug("bad")
    #expect(throws: LinkError.damaged(key: "shop/links/bad")) { try get(bad, store) }
  }

  @Test func refusesAnswersToSomethingElse() throws {
    let answer = Response(revision: 2, result: .put(previous: nil))
    #expect(throws: LinkError.unexpectedAnswer) { try links.get(slug).outcome(of: answer) }
    #expect(throws: LinkError.unexpectedAnswer) { try links.create(slug, first).outcome(of: answer) }
    let empty = Response(revision: 2, result: .transaction(succeeded: false, responses: []))
    #expect(throws: LinkError.unexpectedAnswer) { try links.create(slug, first).outcome(of: empty) }
    #expect(throws: LinkError.unexpectedAnswer) { try links.delete(slug).outcome(of: empty) }
  }
}

/// A change that was to succeed did not.
private struct NotDone: Error {}
