import Testing

@testable import KeyValue
@testable import Simulation

/// Answers that are made while they are taken.
@Suite struct PairReaderTests {
  /// Some thousand keys in a tree of three levels, of which some were changed, some deleted and some made anew.
  private static func store(seed: UInt64) -> KeyValueView {
    var generator = Generator(seed: seed)
    var machine = KeyValueMachine()
    for _ in 0..<9000 {
      let key = Array("\(generator.below(5000))".utf8)
      switch generator.below(10) {
      case 0: machine.perform(.delete(DeleteRequest(range: KeyRange(key))))
      case 1:
        let puts = (0..<5).map { _ in Request.put(PutRequest(key: Array("\(generator.below(5000))".utf8), value: generator.bytes(upTo: 2)))
        }
        machine.perform(.transaction(TransactionRequest(success: puts)))
      default: machine.perform(.put(PutRequest(key: key, value: generator.bytes(upTo: 2))))
      }
    }
    return machine.view
  }

  private static func request(_ generator: inout Generator, upTo revision: Revision) -> RangeRequest {
    var request = generator.rangeRequest()
    request.revision = 0
    let (start, end) = (Array("\(generator.below(5000))".utf8), Array("\(generator.below(5000))".utf8))
    request.range = generator.chance(40) ? .all : KeyRange(start: start, end: generator.chance(20) ? [0] : end)
    request.limit = [0, 0, 1, 7, 128, 129, 1000, 10_000][generator.below(8)]
    let bound = Revision(generator.below(Int(revision)))
    if request.minimumModRevision != 0 { request.minimumModRevision = bound }
    if request.maximumModRevision != 0 { request.maximumModRevision = bound }
    if request.minimumCreateRevision != 0 { request.minimumCreateRevision = bound }
    if request.maximumCreateRevision != 0 { request.maximumCreateRevision = bound }
    return request
  }

  private static func definition(_ request: RangeRequest, _ view: KeyValueView) throws -> RangeResponse {
    var model = NaiveStore(revision: view.revision, pairs: view.pairs())
    let answer = try model.perform(.range(request), size: 0).get()
    guard case .range(let response) = answer.result else { throw KeyValueError.malformed("answer") }
    return response
  }

  private static func readInSlices(_ answer: Response, work slice: Int) -> (response: RangeResponse, pauses: Int, longest: Int) {
    var reader = ResponseReader(answer)
    var response = RangeResponse()
    var (pauses, longest) = (0, 0)
    while true {
      var work = slice
      let step = reader.next(&work)
      longest = max(longest, slice - work)
      switch step {
      case .part(.pair(let stored)): response.pairs.append(stored.item.pair(keysOnly: stored.keysOnly))
      case .part(.rangeEnd(let more, let count)): (response.more, response.count) = (more, count)
      case .part: break
      case .pause: pauses += 1
      case .end: return (response, pauses, longest)
      }
    }
  }

  @Test(arguments: [UInt64(1), 2, 3])
  func agreesWithTheDefinition(seed: UInt64) throws {
    let view = Self.store(seed: seed)
    #expect(view.tree.depth == 3)
    var generator = Generator(seed: seed + 10)
    for number in 0..<40 {
      let request = Self.request(&generator, upTo: view.revision)
      let answer = try view.answer(request).get()
      let expected = try Self.definition(request, view)
      let inSlices = Self.readInSlices(answer, work: 1 + number % 40).response
      #expect(inSlices == expected, "\(request)")
      guard inSlices == expected else { return }
      #expect(answer.result == .range(expected))
    }
  }

  /// What can be asked for with few words is not done in one go.
  @Test func worksInSlicesWhateverTheOrder() throws {
    let view = Self.store(seed: 4)
    for target in [RangeRequest.Target.key, .value, .modRevision, .createRevision] {
      for (limit, order) in [(Int64(0), RangeRequest.Order.ascending), (5, .ascending), (0, .descending), (100, .descending)] {
        var request = RangeRequest(range: .all, limit: limit, order: order, target: target)
        let (_, pauses, longest) = Self.readInSlices(try view.answer(request).get(), work: 50)
        #expect(longest < 250)
        if target == .value { #expect(pauses > view.count / 50) }
        // A filter that nothing passes looks at everything, too.
        request.minimumModRevision = .max
        let filtered = Self.readInSlices(try view.answer(request).get(), work: 50)
        #expect(filtered.longest < 250)
        #expect(filtered.pauses >= view.count / 250)
        #expect(filtered.response == RangeResponse(count: Int64(view.count)))
      }
    }
  }

  @Test func findsTheNewestWithoutLookingAtAll() throws {
    let view = Self.store(seed: 5)
    let request = RangeRequest(range: .all, limit: 10, order: .descending, target: .createRevision)
    let answer = try view.answer(request).get()
    var reader = ResponseReader(answer)
    var work = 5000
    for _ in 0..<10 { if case .pause = reader.next(&work) { Issue.record("looked at too much") } }
    #expect(work > 3000)
    #expect(try answer.result == .range(Self.definition(request, view)))
  }

  /// It holds what is there now, and nothing is made of it before somebody looks.
  @Test func anAnswerIsLightAndKeepsWhatItSpeaksOf() throws {
    var machine = KeyValueMachine()
    for number in 0..<500 { machine.perform(.put("\(number)", "\(number)")) }
    let before = Array(machine.view.pairs())
    let answer = try machine.perform(.transaction(then: [.get("\0", "\0"), .delete("\0", "\0", previous: true), .get("\0", "\0")])).get()
    guard case .transaction(_, let responses) = answer.stored, case .range(let range) = responses[0], case .tree = range.source,
      case .delete(_, let previous) = responses[1], case .tree? = previous?.source
    else {
      Issue.record("pairs were taken out of the store")
      return
    }
    for number in 0..<100 { machine.perform(.put("\(number)", "other")) }
    let all = RangeResponse(pairs: before, count: 500)
    #expect(
      answer.result
        == .transaction(succeeded: true, responses: [.range(all), .delete(count: 500, previous: before), .range(RangeResponse())]))
  }

  @Test func whatIsSortedSaysWhatItHolds() throws {
    let view = Self.store(seed: 6)
    func bytes(limit: Int64, _ target: RangeRequest.Target, _ order: RangeRequest.Order = .ascending) throws -> Int {
      try view.answer(RangeRequest(range: .all, limit: limit, order: order, target: target)).get().workingBytes
    }
    #expect(try bytes(limit: 0, .key, .descending) == 0)
    #expect(try bytes(limit: 0, .value) == view.count * 8)
    #expect(try bytes(limit: 100, .value) == 800)
    #expect(try bytes(limit: 10, .createRevision, .descending) < 50_000)
  }
}
