import KeyValue
import Links
import Raft
import Replica

/// Clients of the link shortener: they create, edit, delete, look up and visit links, and owners of counters flush what they counted.
/// Each change is asked again when nobody knows its outcome; each process that counts may end at any time, and another go on.
public struct LinkWorkload: Workload {
  public typealias Machine = KeyValueMachine
  public typealias Model = NaiveStore

  enum Errand {
    case create(Slug, Link)
    case edit(StoredLink, Target)
    case delete(Slug, Revision?)
    case lookUp(Slug, Consistency)
    case visit(Slug, owner: Int)
    case flush(owner: Int, process: UInt64, Request)
  }

  /// After this much time without an answer, whoever flushes is taken to have gone with its node.
  static let patience = Nanoseconds.milliseconds(3000)

  private let slugs: [Slug]
  private let links = LinkShortener()
  private var owners: [VisitOwner]
  private(set) var checker: LinkChecker
  /// What `operation` has drawn, until it is asked.
  private var drawn: Errand?
  private var open: [RequestID: Errand] = [:]
  /// Changes of unknown outcome, to be asked again.
  private var doubtful: [Errand] = []
  /// Addresses given out so far.
  private var targets: UInt64 = 0
  /// What a client read last.
  private var lastRead: [Slug: StoredLink] = [:]
  /// The newest revision that was seen.
  private var revision: Revision = 1
  private var counts = Counts()

  private struct Counts {
    var created = 0
    var edited = 0
    var deleted = 0
    var lookedUp = 0
    var visited = 0
    var committed = 0
    var dropped = 0
    var outlived = 0
    var restarted = 0
    var repeated = 0
  }

  public init() { self.init(Story.Scale()) }

  public init(_ scale: Story.Scale) {
    slugs = (1...min(max(1, scale.keys), Story.maximumKeys)).compactMap(Self.slug)
    owners = (1...3).map { VisitOwner(number: $0) }
    checker = LinkChecker(owners: owners.map(\.number))
  }

  /// `s1`, `s1-x`, `s2`, `s2-x`, …: one the beginning of the other, so that counters of neighbours can be mistaken for one another.
  static func slug(_ number: UInt64) -> Slug? { try? Slug("s\((number + 1) / 2)" + (number % 2 == 0 ? "-x" : "")) }

  // MARK: What is asked

  public mutating func operation(_ number: UInt64, seeing view: KeyValueView, using random: inout PseudoRandom) -> ClientOperation {
    revision = view.revision
    let slug = random.pick(slugs)
    checker.look(at: slug, in: view, isNewest: true)
    // As whoever runs a store does: nobody waits for it.
    if random.chance(1, in: 64) {
      drawn = nil
      return .command(Request.compaction(CompactionRequest(revision: view.revision)).encoded(), label: "compact at \(view.revision)")
    }
    let errand = draw(slug, view, &random)
    drawn = errand
    return operation(errand)
  }

  private mutating func draw(_ slug: Slug, _ view: KeyValueView, _ random: inout PseudoRandom) -> Errand {
    if !doubtful.isEmpty, random.chance(1, in: 4) {
      counts.repeated += 1
      return doubtful.removeFirst()
    }
    switch random.below(20) {
    case 0...1: return create(slug)
    case 2...4: return edit(slug, view, &random)
    // Seldom, so that links live long enough to be counted.
    case 5 where random.chance(1, in: 2): return .delete(slug, random.chance(1, in: 2) ? newest(slug, view)?.modRevision : nil)
    case 5...7: return .lookUp(slug, .linearizable)
    case 8: return .lookUp(slug, .serializable)
    case 9...13: return .visit(slug, owner: Int(random.below(UInt64(owners.count))))
    default: return flush(slug, &random)
    }
  }

  /// Each change leads somewhere else, so that each can be told from the others.
  private mutating func newTarget() -> Target? {
    targets += 1
    return try? Target("https://example.org/\(targets)")
  }

  private mutating func create(_ slug: Slug) -> Errand {
    guard let target = newTarget() else { return .lookUp(slug, .linearizable) }
    return .create(slug, Link(target: target, createdSeconds: targets))
  }

  /// Mostly of what there is, so that it often succeeds; else of what somebody read some time ago.
  private mutating func edit(_ slug: Slug, _ view: KeyValueView, _ random: inout PseudoRandom) -> Errand {
    let seen = random.chance(1, in: 4) ? lastRead[slug] : newest(slug, view)
    guard let seen, let target = newTarget() else { return create(slug) }
    return .edit(seen, target)
  }

  private func newest(_ slug: Slug, _ view: KeyValueView) -> StoredLink? {
    let query = links.get(slug)
    return try? query.outcome(of: view.answer(query.request).get())
  }

  private mutating func flush(_ slug: Slug, _ random: inout PseudoRandom) -> Errand {
    let owner = Int(random.below(UInt64(owners.count)))
    let isStuck = owners[owner].askedAt.map { checker.now - $0 > Self.patience } ?? false
    if isStuck || random.chance(1, in: 40) { restart(owner) }
    guard owners[owner].askedAt == nil, let request = owners[owner].nextFlush() else { return .visit(slug, owner: owner) }
    return .flush(owner: owner, process: owners[owner].process, request)
  }

  private mutating func restart(_ owner: Int) {
    takeCounts(of: owner)
    owners[owner].restart()
    counts.restarted += 1
  }

  private mutating func takeCounts(of owner: Int) {
    let counter = owners[owner].counter
    counts.committed += Int(clamping: counter.committed)
    counts.dropped += Int(clamping: counter.dropped)
    counts.outlived += Int(clamping: counter.outlived)
  }

  private func operation(_ errand: Errand) -> ClientOperation {
    switch errand {
    case .create(let slug, let link):
      return .command(links.create(slug, link).request.encoded(), label: "create \(slug) to \(link.target)")
    case .edit(let seen, let target):
      return .command(links.edit(seen, target: target).request.encoded(), label: "edit \(seen.slug) of \(seen.modRevision) to \(target)")
    case .delete(let slug, let base):
      return .command(
        links.delete(slug, revision: base).request.encoded(), label: "delete \(slug)" + (base.map { " of \($0)" } ?? ""))
    case .lookUp(let slug, let consistency): return read(slug, consistency, label: "look up \(slug)")
    case .visit(let slug, let owner):
      let number = owners[owner].number
      return read(slug, .serializable, label: "visit \(slug) through owner \(number)")
    case .flush(let owner, let process, let request):
      let number = owners[owner].number
      let bytes = request.encoded()
      return ClientOperation(
        request.isReadOnly ? .read(.linearizable, query: bytes) : .command(bytes),
        label: "flush \(CounterName.names(in: request).count) counters of owner \(number), process \(process)")
    }
  }

  private func read(_ slug: Slug, _ consistency: Consistency, label: @autoclosure @escaping @Sendable () -> String) -> ClientOperation {
    ClientOperation(
      .read(consistency, query: Request.range(links.get(slug).request).encoded()),
      label: label() + (consistency == .serializable ? ", perhaps stale" : ""))
  }

  public static func digest(of view: KeyValueView) -> UInt64 { view.digest }

  public mutating func asked(_ id: RequestID, _ operation: ClientOperation, at now: Instant) {
    guard let drawn else { return }
    self.drawn = nil
    ask(drawn, as: id, at: now)
  }

  mutating func ask(_ errand: Errand, as id: RequestID, at now: Instant) {
    checker.now = now
    open[id] = errand
    switch errand {
    case .delete(let slug, let base): checker.askedToDelete(slug, base, as: id, after: revision)
    case .flush(let owner, _, _): owners[owner].asked(at: now)
    default: break
    }
  }
}

extension LinkWorkload {
  // MARK: What is answered

  @discardableResult
  public mutating func answered(
    _ id: RequestID, _ answer: ClientAnswer<KeyValueMachine>, at now: Instant
  ) -> (checker: Violation.Checker, text: String)? {
    checker.now = now
    // Reads of the run itself are not ours.
    guard let errand = open.removeValue(forKey: id) else { return nil }
    switch answer {
    case .output(.success(let answer)): done(errand, answer, as: id)
    case .output(.failure(let error)): checker.report("the store refuses what links ask, \(operation(errand).label): \(error)")
    case .view(let view, _): saw(errand, view, as: id)
    case .answer: break
    case .notDone, .unknown: failed(errand, as: id, isUnknown: answer.isUnknown)
    }
    // Whatever is wrong the checker has for the end.
    return nil
  }

  private mutating func done(_ errand: Errand, _ answer: Response, as id: RequestID) {
    do {
      switch errand {
      case .create(let slug, let link): created(try links.create(slug, link).outcome(of: answer), link)
      case .edit(let seen, let target): edited(try links.edit(seen, target: target).outcome(of: answer), seen, target)
      case .delete(let slug, let base):
        let isDone = try links.delete(slug, revision: base).outcome(of: answer) == .deleted
        counts.deleted += isDone ? 1 : 0
        checker.answeredDelete(slug, base, of: id, at: isDone ? answer.revision : nil)
      case .flush(let owner, let process, let request): try flushed(owner, process, request, answer)
      case .lookUp, .visit: break
      }
    } catch let error as VisitAccountError {
      checker.report(error.text)
    } catch {
      checker.report("the answer to \(operation(errand).label) cannot be read: \(error)")
    }
  }

  private mutating func created(_ outcome: LinkShortener.Creation, _ link: Link) {
    switch outcome {
    case .created(let stored):
      counts.created += 1
      checker.created(stored)
    // An attempt before, whose outcome nobody knew, had done it.
    case .exists(let stored) where stored.link == link && stored.modRevision == stored.createRevision: checker.created(stored)
    case .exists(let stored): lastRead[stored.slug] = stored
    }
  }

  private mutating func edited(_ outcome: LinkShortener.Edit, _ seen: StoredLink, _ target: Target) {
    switch outcome {
    case .edited(let stored):
      counts.edited += 1
      checker.edited(seen, to: stored)
    case .changed(let stored?) where stored.link.target == target: checker.edited(seen, to: stored)
    case .changed(let stored): lastRead[seen.slug] = stored
    }
  }

  private mutating func flushed(_ owner: Int, _ process: UInt64, _ request: Request, _ answer: Response) throws(VisitAccountError) {
    guard owners[owner].process == process else { return }
    for (counter, visits) in try owners[owner].receive(answer, to: request) { checker.committed(visits, in: counter) }
  }

  private mutating func saw(_ errand: Errand, _ view: KeyValueView, as id: RequestID) {
    switch errand {
    case .lookUp(let slug, _):
      counts.lookedUp += 1
      lastRead[slug] = checker.look(at: slug, in: view, isNewest: false)
    case .visit(let slug, let owner):
      guard let link = newest(slug, view) else { return }
      counts.visited += 1
      owners[owner].record(link.identity)
      checker.visited(CounterName(life: link.identity, owner: owners[owner].number))
    case .flush(_, _, let request):
      guard let answer = try? view.answer(request).get() else {
        return checker.report("the store cannot be read by \(operation(errand).label)")
      }
      done(errand, answer, as: id)
    case .create, .edit, .delete: break
    }
  }

  private mutating func failed(_ errand: Errand, as id: RequestID, isUnknown: Bool) {
    switch errand {
    case .flush(let owner, let process, _):
      if owners[owner].process == process { owners[owner].givenUp(isUnknown: isUnknown) }
    case .delete(let slug, let base) where !isUnknown: checker.answeredDelete(slug, base, of: id, at: nil)
    case .create, .edit, .delete: if isUnknown { doubtful.append(errand) }
    case .lookUp, .visit: break
    }
  }

  // MARK: What is left

  public mutating func finalViolations(_ report: inout RunReport, view: KeyValueView) -> [(checker: Violation.Checker, text: String)] {
    for slug in slugs {
      checker.look(at: slug, in: view, isNewest: true)
      checker.checkChanges(of: slug)
    }
    for owner in owners.indices { takeCounts(of: owner) }
    report.counted = [
      ("links created", counts.created), ("edited", counts.edited), ("deleted", counts.deleted), ("looked up", counts.lookedUp),
      ("visited", counts.visited), ("visits committed", counts.committed), ("dropped", counts.dropped), ("outlived", counts.outlived),
      ("owners restarted", counts.restarted), ("changes repeated", counts.repeated),
    ]
    // One fault is seen again and again.
    return checker.violations.prefix(1).map { (.application, $0) }
  }
}

extension ClientAnswer {
  fileprivate var isUnknown: Bool { if case .unknown = self { true } else { false } }
}

extension Story {
  /// Lives the story through with clients of the link shortener. Here, and not where it is called, so that the compiler makes one piece of
  /// code for this workload.
  public func runLinks(tracing: Bool = false) -> RunReport { Run(self, LinkWorkload(scale), tracing: tracing).run() }
}
