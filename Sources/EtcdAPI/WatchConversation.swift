import KeyValue
import NIOCore
import Replica

/// `Watch.Watch` as the gateway has it: what the request's body says is done, and then events are sent until the client goes.
///
/// Nothing is queued: each watch is a position in the store's past, and is read when the client has taken what was sent before. So a client
/// that does not read holds one piece of events, whatever happens.
final class WatchConversation: Conversation {
  private struct Watch {
    let request: WatchRequest
    let served: any ServedWatch
    /// Has seen everything, as far as is known.
    var isIdle = false
    /// Is in `ready`.
    var isQueued = false
    /// Of the view that it was last read from.
    var revision: Revision
  }

  private static let stepsAtOnce = 16

  let isEndless = true

  private let gateway: Gateway
  /// What is to be done, in the order in which it came.
  private var commands: CircularBuffer<WatchCommand>
  private var watches: [Int64: Watch] = [:]
  /// Those that may have something to read, in turn.
  private var ready: CircularBuffer<Int64> = []
  private var lastID: Int64 = -1
  private var progressWanted = 0
  private var isOpening = false
  private var hasTurn = false
  private var channel: ConversationChannel?
  private var progress: RepeatedTask?

  init(_ gateway: Gateway, _ commands: [WatchCommand]) {
    self.gateway = gateway
    self.commands = CircularBuffer(commands)
  }

  func begin(_ channel: ConversationChannel) {
    self.channel = channel
    goOn()
  }

  func close() {
    channel = nil
    progress?.cancel()
    for watch in watches.values { watch.served.close() }
    watches = [:]
  }

  // MARK: Turns

  /// A few pieces of work, and more in another turn of the event loop: a client with much to read must not keep the others waiting.
  func goOn() {
    for _ in 0..<Self.stepsAtOnce {
      guard let channel, channel.isWritable(), !isOpening else { return }
      if let command = commands.popFirst() {
        perform(command)
      } else if let id = ready.popFirst() {
        read(id)
      } else {
        return answerProgress()
      }
    }
    goOnLater()
  }

  private func goOnLater() {
    guard let channel, !isOpening, !hasTurn else { return }
    hasTurn = true
    let this = NIOLoopBound(self, eventLoop: channel.eventLoop)
    gateway.answers.turns(of: channel.eventLoop).add {
      this.value.hasTurn = false
      this.value.goOn()
    }
  }

  private func perform(_ command: WatchCommand) {
    switch command {
    case .create(let request, let id): create(request, id)
    case .cancel(let id):
      guard let watch = watches.removeValue(forKey: id) else { return }
      watch.served.close()
      send(id: id, revision: watch.revision) { $0.field("canceled", true) }
    case .progress: progressWanted += 1
    }
  }

  // MARK: Creating

  private func create(_ request: WatchRequest, _ wanted: Int64) {
    guard let channel else { return }
    isOpening = true
    gateway.service.read(
      .serializable, timeout: gateway.settings.requestTimeout, completion: channel.later(self) { $0.create(request, wanted, $1) })
  }

  private func create(_ request: WatchRequest, _ wanted: Int64, _ result: Result<KeyValueView, StoreError>) {
    isOpening = false
    guard let channel else { return }
    switch result {
    case .failure(let error): channel.answer(.error(APIError(error)))
    case .success(let view):
      do throws(WatchRefusal) {
        try create(request, wanted, in: view)
      } catch {
        refuse(error, revision: view.revision)
      }
      goOnLater()
    }
  }

  private func create(_ request: WatchRequest, _ wanted: Int64, in view: KeyValueView) throws(WatchRefusal) {
    guard let channel else { return }
    guard request.startRevision >= 0 else { throw .negativeStart }
    guard watches.count < gateway.settings.maximumWatches else { throw .tooMany(limit: gateway.settings.maximumWatches) }
    let id = wanted != 0 ? wanted : nextID
    guard watches[id] == nil else { throw .duplicateID }
    let served: any ServedWatch
    do throws(WatchError) {
      served = try gateway.service.watch(request, in: view, wake: channel.wake(self) { $0.wake(id) })
    } catch {
      throw WatchRefusal(error)
    }
    watches[id] = Watch(request: request, served: served, revision: view.revision)
    if wanted == 0 { lastID = id }
    enqueue(id)
    send(id: id, revision: view.revision) { $0.field("created", true) }
    if request.wantsProgress { tellProgressRegularly() }
  }

  /// The one after the last that was chosen here, if no client has chosen it.
  private var nextID: Int64 {
    var id = lastID + 1
    while watches[id] != nil { id += 1 }
    return id
  }

  private func refuse(_ refusal: WatchRefusal, revision: Revision) {
    send(id: -1, revision: revision) { result in
      result.field("created", true)
      result.field("canceled", true)
      result.field("cancel_reason", text: refusal.text)
    }
  }

  // MARK: Reading

  private func wake(_ id: Int64) {
    guard watches[id] != nil, channel != nil else { return }
    watches[id]?.isIdle = false
    enqueue(id)
    goOnLater()
  }

  private func enqueue(_ id: Int64) {
    guard watches[id]?.isQueued == false else { return }
    watches[id]?.isQueued = true
    ready.append(id)
  }

  private func read(_ id: Int64) {
    watches[id]?.isQueued = false
    guard let watch = watches[id] else { return }
    guard let (answer, revision) = watch.served.next(bytes: gateway.settings.chunkBytes) else {
      channel?.answer(.error(APIError(RequestError(.stopped, outcome: .notDone))))
      return
    }
    switch answer {
    case .events(let events, let isFragment, let isIdle):
      watches[id]?.revision = revision
      watches[id]?.isIdle = isIdle
      if !isIdle { enqueue(id) }
      guard !events.isEmpty else { return }
      send(id: id, revision: revision) { result in
        result.field("fragment", isFragment)
        result.array("events", events) { $0.event($1, withPrevious: watch.request.wantsPrevious) }
      }
    case .compacted(let oldest):
      watches[id] = nil
      send(id: id, revision: 0) { result in
        result.field("canceled", true)
        result.field("compact_revision", oldest)
      }
    case .denied(let error):
      watches[id] = nil
      send(id: id, revision: 0) { result in
        result.field("canceled", true)
        result.field("cancel_reason", text: APIError(KeyValueError.access(error)).message)
      }
    }
  }

  private func send(id: Int64, revision: Revision, _ fields: (inout JSONWriter) -> Void) {
    channel?.send { result in
      result.header(self.gateway.service.status, revision: revision)
      result.field("watch_id", id)
      fields(&result)
    }
  }

  // MARK: Progress

  /// The revision that all watches have seen everything up to, if they have.
  private var commonProgress: Revision? {
    var least = Revision.max
    for watch in watches.values {
      guard watch.isIdle, let progress = watch.served.progress else { return nil }
      least = min(least, progress)
    }
    return least == .max ? 0 : least
  }

  private func answerProgress() {
    while progressWanted > 0, let revision = commonProgress, channel != nil {
      progressWanted -= 1
      send(id: -1, revision: revision) { _ in }
    }
  }

  private func tellProgressRegularly() {
    guard progress == nil, let channel else { return }
    let this = NIOLoopBound(self, eventLoop: channel.eventLoop)
    let interval = TimeAmount(gateway.settings.progressInterval)
    progress = channel.eventLoop.scheduleRepeatedTask(initialDelay: interval, delay: interval) { _ in this.value.tellProgress() }
  }

  private func tellProgress() {
    guard let channel, channel.isWritable() else { return }
    for (id, watch) in watches.sorted(by: { $0.key < $1.key }) where watch.request.wantsProgress {
      if let revision = watch.served.progress { send(id: id, revision: revision) { _ in } }
    }
  }
}

/// Why a stream has no such watch; etcd's texts.
private enum WatchRefusal: Error {
  case negativeStart
  case emptyRange
  case duplicateID
  case tooMany(limit: Int)
  case access(AccessError)

  init(_ error: WatchError) {
    switch error {
    case .negativeStart: self = .negativeStart
    case .emptyRange: self = .emptyRange
    case .tooMany(let limit): self = .tooMany(limit: limit)
    case .access(let error): self = .access(error)
    }
  }

  var text: String {
    switch self {
    case .negativeStart: "etcdserver: mvcc: required revision has been compacted"
    case .emptyRange: "mvcc: watcher range is empty"
    case .duplicateID: "mvcc: duplicate watch ID provided on the WatchStream"
    case .access(let error): APIError(KeyValueError.access(error)).message
    case .tooMany(let limit): "coracle: there are \(limit) watches already: close some, or use another node"
    }
  }
}

extension JSONWriter {
  /// `mvccpb.Event`.
  fileprivate mutating func event(_ event: Event, withPrevious: Bool) {
    object { writer in
      if event.isDeletion { writer.field("type", text: "DELETE") }
      writer.object("kv") { kv in
        if let pair = event.pair {
          kv.fields(of: pair)
        } else {
          kv.field("key", base64: event.key)
          kv.field("mod_revision", event.modRevision)
        }
      }
      if withPrevious, let previous = event.previous { writer.object("prev_kv") { $0.fields(of: previous) } }
    }
  }

  /// `mvccpb.KeyValue`.
  mutating func fields(of pair: KeyValuePair) {
    field("key", base64: pair.key)
    field("create_revision", pair.createRevision)
    field("mod_revision", pair.modRevision)
    field("version", pair.version)
    field("value", base64: pair.value)
    field("lease", pair.lease)
  }
}
