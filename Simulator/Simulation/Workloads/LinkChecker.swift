import KeyValue
import Links
import Raft
import Replica

/// Holds what clients of the link shortener were told, and what they see, against what links promise: see `Docs/Simulation.md`.
///
/// It goes by the revisions in the answers. What nobody was told of, an operation of unknown outcome, is assumed to have happened
/// wherever that explains something: it names no fault that there is not.
struct LinkChecker {
  /// A change of which a client was told.
  private struct Change {
    let revision: Revision
    /// What it left; `nil` after a delete.
    let stored: StoredLink?
    /// The `modRevision` that it compared; `nil` after a create, and a delete of whatever there is.
    let base: Revision?
    var isCreation = false
  }

  /// A delete of which nobody knows yet whether it was done.
  private struct DoubtfulDelete {
    let request: RequestID
    /// The store's revision when it was asked: it is done later, if at all.
    let after: Revision
    let base: Revision?

    /// Whether it may have been done between two changes.
    func fits(between first: Revision, and second: Revision) -> Bool {
      max(first, after, base ?? 0) + 1 < second && (base ?? first) >= first
    }
  }

  private struct Account {
    var made: UInt64 = 0
    var committed: UInt64 = 0
  }

  private(set) var violations: [String] = []
  /// The moment of what comes next.
  var now = Instant.zero
  private let links = LinkShortener()
  private let owners: [UInt64]
  private var changes: [Slug: [Change]] = [:]
  private var doubtful: [Slug: [DoubtfulDelete]] = [:]
  private var accounts: [CounterName: Account] = [:]

  init(owners: [UInt64]) { self.owners = owners }

  mutating func report(_ text: String) { violations.append("\(text) (seen at \(now.nanoseconds / 1_000_000) ms)") }

  // MARK: What clients did and were told

  mutating func created(_ stored: StoredLink) {
    note(Change(revision: stored.createRevision, stored: stored, base: nil, isCreation: true), of: stored.slug)
  }

  mutating func edited(_ base: StoredLink, to stored: StoredLink) {
    note(Change(revision: stored.modRevision, stored: stored, base: base.modRevision), of: stored.slug)
  }

  /// - Parameter after: the store's revision.
  mutating func askedToDelete(_ slug: Slug, _ base: Revision?, as request: RequestID, after revision: Revision) {
    doubtful[slug, default: []].append(DoubtfulDelete(request: request, after: revision, base: base))
  }

  /// - Parameter revision: of the delete; `nil` if it was certainly not done.
  mutating func answeredDelete(_ slug: Slug, _ base: Revision?, of request: RequestID, at revision: Revision?) {
    doubtful[slug]?.removeAll { $0.request == request }
    if let revision { note(Change(revision: revision, stored: nil, base: base), of: slug) }
  }

  private mutating func note(_ change: Change, of slug: Slug) { changes[slug, default: []].append(change) }

  mutating func visited(_ counter: CounterName) { accounts[counter, default: Account()].made += 1 }

  mutating func committed(_ visits: UInt64, in counter: CounterName) { accounts[counter, default: Account()].committed += visits }
}

extension LinkChecker {
  // MARK: What is seen

  /// Looks at a link and its counters in a committed state.
  /// - Parameter isNewest: whether the state has everything that anybody has been told of.
  /// - Returns: the link, if there is one that can be read.
  @discardableResult
  mutating func look(at slug: Slug, in view: KeyValueView, isNewest: Bool) -> StoredLink? {
    let stored: StoredLink?
    do {
      let query = links.get(slug)
      stored = try query.outcome(of: view.answer(query.request).get())
    } catch {
      report("link \(slug) cannot be read: \(error)")
      return nil
    }
    let counts = counts(of: slug, of: stored, in: view)
    guard let stored else { return nil }
    compare(stored)
    for owner in owners where isNewest {
      let name = CounterName(life: stored.identity, owner: owner)
      let (count, told) = (counts[name] ?? 0, accounts[name]?.committed ?? 0)
      if count < told {
        report("owner \(owner) was told that \(told) visits of \(stored.identity.label) are committed; there are \(count)")
      }
    }
    return stored
  }

  /// Reads the counters of a slug, and checks each.
  private mutating func counts(of slug: Slug, of stored: StoredLink?, in view: KeyValueView) -> [CounterName: UInt64] {
    var counts: [CounterName: UInt64] = [:]
    for pair in view.pairs(in: links.visits(of: slug).request.range) {
      guard let name = CounterName(pair.key), let count = UInt64(String(decoding: pair.value, as: UTF8.self)) else {
        report("a counter of \(slug) cannot be read: \(String(decoding: pair.key, as: UTF8.self))")
        continue
      }
      counts[name] = count
      if name.life != stored?.identity { report("owner \(name.owner) left a counter behind for \(name.life.label), which is gone") }
      let made = accounts[name]?.made ?? 0
      if count > made { report("owner \(name.owner) has \(count) visits of \(name.life.label); \(made) were made") }
    }
    return counts
  }

  /// A link is as the one was told who left it so.
  private mutating func compare(_ stored: StoredLink) {
    guard let told = changes[stored.slug]?.last(where: { $0.revision == stored.modRevision })?.stored, told != stored else { return }
    report("\(stored.identity.label) is “\(Self.text(stored))”, and who changed it at \(told.modRevision) was told “\(Self.text(told))”")
  }

  /// As the store has it.
  private static func text(_ stored: StoredLink) -> String { String(decoding: stored.link.encoded, as: UTF8.self) }

  // MARK: What was told, taken together

  /// The changes of a slug, as far as anybody knows of them, in the order of their revisions.
  mutating func checkChanges(of slug: Slug) {
    let known = (changes[slug] ?? []).sorted { $0.revision < $1.revision }
    // Those that fit in few places first.
    let open = doubtful[slug] ?? []
    var deletes = open.filter { $0.base != nil } + open.filter { $0.base == nil }
    for (before, after) in zip(known, known.dropFirst()) {
      if let base = after.base, base < before.revision {
        report("\(slug) was changed at \(after.revision) as it had been at \(base), although it was changed at \(before.revision)")
      }
      guard after.isCreation, before.stored != nil else { continue }
      if let place = deletes.firstIndex(where: { $0.fits(between: before.revision, and: after.revision) }) {
        deletes.remove(at: place)
      } else {
        report("\(slug) was created at \(after.revision), although it was there at \(before.revision), and nobody deleted it")
      }
    }
  }
}

extension LinkIdentity {
  /// For people.
  fileprivate var label: String { "\(slug) of revision \(createRevision)" }
}
