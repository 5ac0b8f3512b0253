import KeyValue
import Replica

/// An answer's body, made as fast as the client takes it and in slices of bounded work: a range of a million pairs is never in memory as
/// text, nor as a list.
struct ResponseBody: Sendable {
  /// Pairs that one slice may look at: about a millisecond.
  private static let sliceWork = 4096

  private var text: [UInt8]
  private var answer: AnswerText?
  private let chunkBytes: Int
  /// Bytes that making it holds besides its parts.
  let workingBytes: Int

  init(_ bytes: [UInt8]) {
    text = bytes
    chunkBytes = bytes.count
    workingBytes = 0
  }

  init(_ answer: Response, _ status: ReplicaStatus, chunkBytes: Int) {
    text = []
    self.answer = AnswerText(answer, status)
    self.chunkBytes = chunkBytes
    workingBytes = answer.workingBytes
  }

  var isFinished: Bool { text.isEmpty && answer == nil }

  /// The next part, of about `chunkBytes`; `nil` at the end. Empty if the work of a slice was done before a part was: then ask again.
  mutating func next() -> [UInt8]? {
    guard !isFinished else { return nil }
    var work = Self.sliceWork
    while let made = answer?.bytes, made < chunkBytes, work > 0 {
      guard answer?.writeMore(&work) == false else { continue }
      text = answer?.take() ?? []
      answer = nil
    }
    if let made = answer?.bytes {
      if made < chunkBytes { return [] }
      text = answer?.take() ?? []
    }
    defer { text = [] }
    return text
  }
}

/// The text of an answer, part by part.
private struct AnswerText: Sendable {
  /// Bytes of a value that are written at once; whole triples, so that base64 goes on without padding.
  private static let valueBytes = 48 << 10

  private var reader: ResponseReader
  private var json = JSONWriter()
  /// The array of pairs that is open.
  private var hasPairs = false
  private var arrayName: StaticString = "kvs"
  /// A long value that is being written, and how far.
  private var value: (pair: StoredPair, offset: Int)?
  private var isEnding = false

  init(_ answer: Response, _ status: ReplicaStatus) {
    reader = ResponseReader(answer)
    json.openObject()
    json.header(status, revision: answer.revision)
  }

  /// What is made and not taken.
  var bytes: Int { json.bytes.count }

  mutating func take() -> [UInt8] { json.takeBytes() }

  /// Whether there is more.
  mutating func writeMore(_ work: inout Int) -> Bool {
    if value != nil {
      writeValue()
      return true
    }
    switch reader.next(&work) {
    case .pause: break
    case .end:
      json.closeObject()
      return false
    case .part(let part):
      work -= 1
      write(part)
    }
    return true
  }

  private mutating func write(_ part: ResponseReader.Part) {
    switch part {
    case .pair(let pair): write(pair)
    case .rangeEnd(let more, let count):
      closePairs()
      json.field("more", more)
      json.field("count", count)
    case .put(let previous):
      guard let previous else { return }
      json.openObject("prev_kv")
      fields(of: previous)
    case .deleted(let count):
      json.field("deleted", count)
      arrayName = "prev_kvs"
    case .deleteEnd: closePairs()
    case .transaction(let succeeded, let operations):
      json.field("succeeded", succeeded)
      if operations > 0 { json.openArray("responses") }
    case .transactionEnd(let operations): if operations > 0 { json.closeArray() }
    case .operation(let operation, let revision): open(operation, revision)
    case .operationEnd:
      json.closeObject()
      json.closeObject()
    case .leaseGranted(let id, let timeToLive):
      json.field("ID", id)
      json.field("TTL", timeToLive)
    // etcd does not say how many keys went.
    case .leaseRevoked: break
    case .leases(let count): if count > 0 { json.openArray("leases") }
    case .leaseID(let id): json.object { $0.field("ID", id) }
    case .lease(let timeToLive, let keys):
      json.field("grantedTTL", timeToLive ?? 0)
      if keys > 0 { json.openArray("keys") }
    case .leaseKey(let key): json.element(base64: key)
    case .leasesEnd: json.closeArray()
    }
  }

  private mutating func open(_ operation: ResponseReader.Operation, _ revision: Revision) {
    json.openObject()
    switch operation {
    case .range: json.openObject("response_range")
    case .put: json.openObject("response_put")
    case .delete: json.openObject("response_delete_range")
    case .transaction: json.openObject("response_txn")
    }
    // As etcd does: the operations inside a transaction have their own revision.
    json.object("header") { if operation != .transaction { $0.field("revision", revision) } }
    arrayName = "kvs"
  }

  private mutating func write(_ pair: StoredPair) {
    if !hasPairs { json.openArray(arrayName) }
    hasPairs = true
    json.openObject()
    fields(of: pair)
  }

  /// `mvccpb.KeyValue`, and the end of its object.
  private mutating func fields(of pair: StoredPair) {
    pair.withKey { json.field("key", base64: $0) }
    json.field("create_revision", pair.createRevision)
    json.field("mod_revision", pair.modRevision)
    json.field("version", pair.version)
    if pair.valueCount > Self.valueBytes {
      json.openText("value")
      value = (pair, 0)
      writeValue()
    } else {
      if pair.valueCount > 0 { pair.withValue { json.field("value", base64: $0) } }
      json.field("lease", pair.lease)
      json.closeObject()
    }
  }

  private mutating func writeValue() {
    guard let (pair, offset) = value else { return }
    let end = min(offset + Self.valueBytes, pair.valueCount)
    pair.withValue { json.appendBase64($0[offset..<end]) }
    value = (pair, end)
    guard end == pair.valueCount else { return }
    value = nil
    json.closeText()
    json.field("lease", pair.lease)
    json.closeObject()
  }

  private mutating func closePairs() {
    if hasPairs { json.closeArray() }
    hasPairs = false
  }
}
