import ByteCoding
import KeyValue
import Replica

/// The model holds what the store answers and has against its own.
extension NaiveStore: StateModel {
  public typealias Machine = KeyValueMachine

  public mutating func apply(_ command: Command, answered output: KeyValueMachine.Output) -> String? {
    let bytes = command.payload
    guard bytes.count <= NaiveRules.requestBytes else { return Self.refusal(output, .tooLarge, "a command of \(bytes.count) bytes") }
    guard let request = try? Request(decoding: bytes) else {
      if case .failure(.malformed) = output { return nil }
      return "what is no request was answered: \(output)"
    }
    return Self.contrast(request, output, perform(request, size: bytes.count, at: command.index))
  }

  public func difference(in view: KeyValueView, lookingFor query: [UInt8]) -> String? {
    guard let request = try? Request(decoding: query[...]) else { return nil }
    var copy = self
    return Self.contrast(request, view.answer(request), copy.perform(request, size: query.count))
  }

  public func difference(in view: KeyValueView) -> String? {
    guard view.revision == revision else { return "the store is at revision \(view.revision), the model at \(revision)" }
    guard view.count == pairs.count else { return "the store has \(view.count) keys, the model \(pairs.count)" }
    return Self.contrast(Array(view.pairs()), pairs, "") ?? pastDifference(in: view)
  }

  private static func contrast(_ found: [KeyValuePair], _ pairs: [Kept], _ when: String) -> String? {
    for (pair, kept) in zip(found, pairs) where pair != kept.pair {
      return "the store has \(KeyValueWords.wholeText(of: pair))\(when), the model \(KeyValueWords.wholeText(of: kept.pair))"
    }
    return found.count == pairs.count ? nil : "the store has \(found.count) keys\(when), the model \(pairs.count)"
  }

  /// So many of the newest states' changes are compared each time, as old ones were compared when they were new.
  private static let comparedStates = 64

  /// The changes that are kept, and the two oldest states that can be read.
  private func pastDifference(in view: KeyValueView) -> String? {
    guard view.compactRevision == compactRevision else {
      return "the store is compacted at \(view.compactRevision), the model at \(compactRevision)"
    }
    guard view.size == size else { return "the store has \(view.size) bytes, the model \(size)" }
    guard view.settings == settings, view.isOutOfSpace == isOutOfSpace else {
      return "the store has \(view.settings), out of space: \(view.isOutOfSpace); the model \(settings), \(isOutOfSpace)"
    }
    if let text = leaseDifference(in: view) ?? access.difference(in: view.access) { return text }
    let changes = past.newestChanges(ofStates: Self.comparedStates)
    var events = view.events(from: changes.first?.revision ?? revision + 1)
    for (revision, change) in changes {
      guard let event = events.next(), event.modRevision == revision, change.new == event.pair, change.key == event.key else {
        return "the store does not tell of the change of \(KeyValueWords.text(of: KeyRange(change.key))) at \(revision) in its place"
      }
      // What was before the oldest revision is not read any more.
      let old = revision > compactRevision ? change.old : nil
      guard event.previous == old else {
        return "the store has another pair before the change of \(KeyValueWords.text(of: KeyRange(change.key))) at \(revision)"
      }
    }
    if let event = events.next() { return "the store tells of a change at \(event.modRevision) that the model knows nothing of" }
    for state in past.oldest {
      guard case .success(let answer) = view.answer(RangeRequest(range: .all, revision: state.revision)),
        case .range(let range) = answer.result
      else { return "the store does not know revision \(state.revision), the model does" }
      if let text = Self.contrast(range.pairs, state.pairs, " at \(state.revision)") { return text }
      guard range.count == state.pairs.count else { return "the store counts \(range.count) keys at \(state.revision)" }
    }
    return nil
  }

  // MARK: Answers

  private static func contrast(
    _ request: Request, _ output: KeyValueMachine.Output, _ expected: Result<NaiveStore.Response, KeyValueError>
  ) -> String? {
    switch (output, expected) {
    case (_, .failure(let error)): return refusal(output, error, KeyValueWords.text(of: request))
    case (.failure(let error), .success): return "\(KeyValueWords.text(of: request)): refused as \(error), the model does it"
    case (.success(let answer), .success(let expected)):
      // As a whole, as the library's users get it, or part by part, as it goes over the wire: in turn, as both take their time.
      if answer.revision % 2 == 0 {
        if answer.revision == expected.revision, answer.result == expected.result { return nil }
      } else {
        var reader = WholeAnswer(answer)
        if reader.read() == expected { return nil }
      }
      return "\(KeyValueWords.text(of: request)): \(contrast(answer, expected))"
    }
  }

  /// In few words, if they tell the difference.
  private static func contrast(_ answer: KeyValue.Response, _ expected: NaiveStore.Response) -> String {
    let (said, right) = (KeyValueWords.text(of: answer), KeyValueWords.text(of: expected))
    if said != right { return "\(said), the model says \(right)" }
    var reader = WholeAnswer(answer)
    return "\(answer.result), in parts \(reader.read().map { "\($0)" } ?? "no answer"), the model says \(expected)"
  }

  private static func refusal(_ output: KeyValueMachine.Output, _ error: KeyValueError, _ what: @autoclosure () -> String) -> String? {
    switch output {
    case .failure(error): nil
    case .failure(let other): "\(what()): refused as \(other), by the model as \(error)"
    case .success(let answer): "\(what()): \(KeyValueWords.text(of: answer)), the model refuses it as \(error)"
    }
  }
}

/// Puts together again what `ResponseReader` gives in parts, a few steps at a time.
private struct WholeAnswer {
  /// So little that it pauses in the middle of everything.
  private static let slice = 5

  private let revision: Revision
  private var reader: ResponseReader
  private var headers: [Revision] = []
  /// What was looked at, and not taken.
  private var next: ResponseReader.Part?

  init(_ answer: KeyValue.Response) {
    revision = answer.revision
    reader = ResponseReader(answer)
    next = part()
  }

  /// `nil` if the parts do not fit together.
  mutating func read() -> NaiveStore.Response? {
    guard let response = self.response(), next == nil else { return nil }
    if case .transaction = response {} else { headers.append(revision) }
    return NaiveStore.Response(revision: revision, result: response, headers: headers)
  }

  private mutating func part() -> ResponseReader.Part? {
    while true {
      var work = Self.slice
      switch reader.next(&work) {
      case .part(let part): return part
      case .pause: continue
      case .end: return nil
      }
    }
  }

  private mutating func take() -> ResponseReader.Part? {
    defer { next = part() }
    return next
  }

  private mutating func response() -> OperationResult? {
    if case .pair? = next { return range(pairs()) }
    switch next {
    case .rangeEnd: return range([])
    case .put(let previous):
      _ = take()
      return .put(previous: previous.map(Self.pair))
    case .deleted(let count):
      _ = take()
      let previous = pairs()
      if !previous.isEmpty { guard case .deleteEnd? = take() else { return nil } }
      return .delete(count: count, previous: previous)
    case .transaction(let succeeded, let operations):
      _ = take()
      return transaction(succeeded, operations)
    case nil: return .done
    default: return lease()
    }
  }

  private mutating func lease() -> OperationResult? {
    switch take() {
    case .leaseGranted(let id, let timeToLive): return .leaseGranted(id, timeToLive: timeToLive)
    case .leaseRevoked(let keys): return .leaseRevoked(keys: keys)
    case .leases(let count):
      var ids: [LeaseID] = []
      while case .leaseID(let id)? = next {
        ids.append(id)
        _ = take()
      }
      guard ids.count == count, isEnd(after: count) else { return nil }
      return .leases(ids)
    case .lease(let timeToLive, let count):
      var keys: [Key] = []
      while case .leaseKey(let key)? = next {
        keys.append(key)
        _ = take()
      }
      guard keys.count == count, isEnd(after: count) else { return nil }
      return .lease(timeToLive.map { LeaseResponse(timeToLive: $0, keys: keys) })
    default: return nil
    }
  }

  private mutating func isEnd(after count: Int) -> Bool {
    guard count > 0 else { return true }
    if case .leasesEnd? = take() { return true }
    return false
  }

  private mutating func range(_ pairs: [KeyValuePair]) -> OperationResult? {
    guard case .rangeEnd(let more, let count)? = take() else { return nil }
    return .range(RangeResponse(pairs: pairs, more: more, count: count))
  }

  private mutating func pairs() -> [KeyValuePair] {
    var pairs: [KeyValuePair] = []
    while case .pair(let stored)? = next {
      pairs.append(Self.pair(stored))
      _ = take()
    }
    return pairs
  }

  private mutating func transaction(_ succeeded: Bool, _ operations: Int) -> OperationResult? {
    var responses: [OperationResult] = []
    for _ in 0..<operations {
      guard case .operation(let operation, let revision)? = take(), let response = self.response() else { return nil }
      if operation != .transaction { headers.append(revision) }
      guard operation == response.operation, case .operationEnd? = take() else { return nil }
      responses.append(response)
    }
    guard case .transactionEnd(operations)? = take() else { return nil }
    return .transaction(succeeded: succeeded, responses: responses)
  }

  private static func pair(_ stored: StoredPair) -> KeyValuePair {
    KeyValuePair(
      key: stored.withKey { Key($0) }, value: stored.keysOnly ? [] : stored.withValue { Value($0) }, createRevision: stored.createRevision,
      modRevision: stored.modRevision, version: stored.version,
      lease: stored.lease)
  }
}

extension OperationResult {
  fileprivate var operation: ResponseReader.Operation {
    switch self {
    case .range, .done, .leaseGranted, .leaseRevoked, .leases, .lease: .range
    case .put: .put
    case .delete: .delete
    case .transaction: .transaction
    }
  }
}
