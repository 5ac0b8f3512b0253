import ByteCoding

/// A request as a command of the log: a format version, then a kind, then its fields; see `Docs/Formats.md`.
extension Request {
  /// Of the encoding. Raised when the format changes; nodes refuse what is above their own.
  public static let formatVersion: UInt8 = 1

  private enum Kind: UInt8 {
    case range = 1, put, delete, transaction, compaction, settings, leaseGrant, leaseRevoke, leaseExpiryOfNumber, leases, lease, leaseExpiry
    case access = 16
    case onBehalf, record
  }

  /// Decodes what `encoded()` made. Strict: each request has one encoding, and anything else is malformed.
  public init(decoding bytes: Bytes) throws(MalformedBytes) {
    let (subject, request) = try Request.decode(bytes)
    self = subject.map { .onBehalf(of: $0, request) } ?? request
  }

  /// The request of a command, and on whose behalf it is.
  static func decode(_ bytes: Bytes) throws(MalformedBytes) -> (subject: Subject?, request: Request) {
    var reader = ByteReader(bytes)
    let version = try reader.readUInt8()
    guard version == Request.formatVersion else { throw MalformedBytes("request: format version \(version)") }
    var kind = try reader.readUInt8()
    var subject: Subject?
    if kind == Kind.onBehalf.rawValue {
      subject = try Subject(from: &reader)
      kind = try reader.readUInt8()
    }
    let request = try Request(kind: kind, from: &reader, depth: 0)
    try reader.expectEnd()
    if subject != nil, case .leaseExpiry = request { throw MalformedBytes("request: an expiry on behalf of somebody") }
    return (subject, request)
  }

  /// The bytes to be proposed.
  public func encoded() -> [UInt8] {
    var writer = ByteWriter(capacity: encodedCount)
    writer.write(Request.formatVersion)
    write(to: &writer)
    return writer.bytes
  }

  /// The length of `encoded()`, without encoding it.
  public var encodedCount: Int { 1 + bodyCount }

  fileprivate init(from reader: inout ByteReader, depth: Int) throws(MalformedBytes) {
    try self.init(kind: try reader.readUInt8(), from: &reader, depth: depth)
  }

  private init(kind: UInt8, from reader: inout ByteReader, depth: Int) throws(MalformedBytes) {
    switch Kind(rawValue: kind) {
    case .range: self = .range(try RangeRequest(from: &reader))
    case .put: self = .put(try PutRequest(from: &reader))
    case .delete: self = .delete(try DeleteRequest(from: &reader))
    case .transaction:
      guard depth < Limits.nesting else { throw MalformedBytes("request: nested too deep") }
      self = .transaction(try TransactionRequest(from: &reader, depth: depth + 1))
    case .compaction, .settings, .leaseGrant, .leaseRevoke, .leaseExpiryOfNumber, .leaseExpiry, .leases, .lease, .access, .record:
      // The same request inside a transaction has no encoding.
      guard depth == 0 else { throw MalformedBytes("request: kind \(kind) in a transaction") }
      try self.init(alone: kind, from: &reader)
    // It stands at the beginning of a command or nowhere.
    case .onBehalf, nil: throw MalformedBytes("request: kind \(kind)")
    }
  }

  /// What cannot be part of a transaction.
  private init(alone kind: UInt8, from reader: inout ByteReader) throws(MalformedBytes) {
    switch Kind(rawValue: kind) {
    case .compaction: self = .compaction(CompactionRequest(revision: try reader.readInt64()))
    case .settings:
      self = .settings(
        StoreSettings(quota: try reader.readInt64(), historyAge: try reader.readInt64(), historyBytes: try reader.readInt64()))
    case .leaseGrant: self = .leaseGrant(LeaseGrantRequest(id: try reader.readInt64(), timeToLive: try reader.readInt64()))
    case .leaseRevoke: self = .leaseRevoke(try reader.readInt64())
    case .leaseExpiryOfNumber: self = .leaseExpiry(try reader.readInt64(), grant: 0)
    case .leaseExpiry:
      self = .leaseExpiry(try reader.readInt64(), grant: try reader.readUInt64())
      if case .leaseExpiry(_, grant: 0) = self { throw MalformedBytes("request: grant 0") }
    case .leases: self = .leases
    case .lease: self = .lease(try reader.readInt64())
    case .access: self = .access(try AccessRequest(from: &reader))
    case .record: self = .record(try RecordChange(from: &reader))
    case .range, .put, .delete, .transaction, .onBehalf, nil: throw MalformedBytes("request: kind \(kind)")
    }
  }

  fileprivate func write(to writer: inout ByteWriter) {
    switch self {
    case .range(let request):
      writer.write(Kind.range.rawValue)
      request.write(to: &writer)
    case .put(let request):
      writer.write(Kind.put.rawValue)
      request.write(to: &writer)
    case .delete(let request):
      writer.write(Kind.delete.rawValue)
      request.write(to: &writer)
    case .transaction(let request):
      writer.write(Kind.transaction.rawValue)
      request.write(to: &writer)
    case .compaction(let request): writer.write(Kind.compaction.rawValue, request.revision)
    case .settings(let settings):
      writer.write(Kind.settings.rawValue, settings.quota)
      writer.write(settings.historyAge)
      writer.write(settings.historyBytes)
    case .leaseGrant(let request):
      writer.write(Kind.leaseGrant.rawValue, request.id)
      writer.write(request.timeToLive)
    case .leaseRevoke(let id): writer.write(Kind.leaseRevoke.rawValue, id)
    case .leaseExpiry(let id, grant: 0): writer.write(Kind.leaseExpiryOfNumber.rawValue, id)
    case .leaseExpiry(let id, let grant):
      writer.write(Kind.leaseExpiry.rawValue, id)
      writer.write(grant)
    case .leases: writer.write(Kind.leases.rawValue)
    case .lease(let id): writer.write(Kind.lease.rawValue, id)
    case .access(let request):
      writer.write(Kind.access.rawValue)
      request.write(to: &writer)
    case .record(let change):
      writer.write(Kind.record.rawValue)
      change.write(to: &writer)
    case .onBehalf(let subject, let request):
      writer.write(Kind.onBehalf.rawValue)
      subject.write(to: &writer)
      request.write(to: &writer)
    }
  }

  fileprivate var bodyCount: Int {
    switch self {
    case .range(let request): 1 + request.range.encodedCount + 3 + 6 * 8
    case .put(let request): 1 + 1 + 4 + request.key.count + 4 + request.value.count + (request.lease == 0 ? 0 : 8)
    case .delete(let request): 1 + 1 + request.range.encodedCount
    case .compaction, .leaseRevoke, .leaseExpiry(_, grant: 0), .lease: 1 + 8
    case .leaseExpiry: 1 + 2 * 8
    case .leases: 1
    case .leaseGrant: 1 + 2 * 8
    case .settings: 1 + 3 * 8
    case .access(let request): 1 + request.encodedCount
    case .record(let change): 1 + change.encodedCount
    case .onBehalf(let subject, let request): 1 + subject.encodedCount + request.bodyCount
    case .transaction(let request):
      1 + 3 * 4 + request.comparisons.reduce(0) { $0 + $1.encodedCount } + request.success.reduce(0) { $0 + $1.bodyCount }
        + request.failure.reduce(0) { $0 + $1.bodyCount }
    }
  }
}

extension KeyRange {
  /// No end is written as an empty one.
  init(from reader: inout ByteReader) throws(MalformedBytes) {
    let start = Key(try reader.readPrefixed())
    self.init(start: start, end: Key(try reader.readPrefixed()))
  }

  func write(to writer: inout ByteWriter) {
    writer.write(prefixed: start)
    writer.write(prefixed: end ?? [])
  }

  var encodedCount: Int { 4 + start.count + 4 + (end?.count ?? 0) }
}

extension PutRequest {
  fileprivate init(from reader: inout ByteReader) throws(MalformedBytes) {
    let flags = try reader.readFlags(4, of: "put")
    let key = Key(try reader.readPrefixed())
    self.init(
      key: key, value: Value(try reader.readPrefixed()), previous: flags & 1 != 0, ignoreValue: flags & 2 != 0, ignoreLease: flags & 8 != 0)
    guard flags & 4 != 0 else { return }
    lease = try reader.readInt64()
    guard lease != 0 else { throw MalformedBytes("put: lease 0") }
  }

  fileprivate func write(to writer: inout ByteWriter) {
    writer.write(UInt8((previous ? 1 : 0) | (ignoreValue ? 2 : 0) | (lease == 0 ? 0 : 4) | (ignoreLease ? 8 : 0)))
    writer.write(prefixed: key)
    writer.write(prefixed: value)
    if lease != 0 { writer.write(lease) }
  }
}

extension DeleteRequest {
  fileprivate init(from reader: inout ByteReader) throws(MalformedBytes) {
    let flags = try reader.readFlags(1, of: "delete")
    self.init(range: try KeyRange(from: &reader), previous: flags != 0)
  }

  fileprivate func write(to writer: inout ByteWriter) {
    writer.write(UInt8(previous ? 1 : 0))
    range.write(to: &writer)
  }
}

extension RangeRequest {
  fileprivate init(from reader: inout ByteReader) throws(MalformedBytes) {
    let flags = try reader.readFlags(2, of: "range")
    guard let order = Order(rawValue: try reader.readUInt8()) else { throw MalformedBytes("range: order") }
    guard let target = Target(rawValue: try reader.readUInt8()) else { throw MalformedBytes("range: sort target") }
    self.init(
      range: try KeyRange(from: &reader), limit: try reader.readInt64(), revision: try reader.readInt64(), order: order, target: target,
      keysOnly: flags & 1 != 0, countOnly: flags & 2 != 0, minimumModRevision: try reader.readInt64(),
      maximumModRevision: try reader.readInt64(), minimumCreateRevision: try reader.readInt64(),
      maximumCreateRevision: try reader.readInt64())
  }

  fileprivate func write(to writer: inout ByteWriter) {
    writer.write(UInt8((keysOnly ? 1 : 0) | (countOnly ? 2 : 0)))
    writer.write(order.rawValue)
    writer.write(target.rawValue)
    range.write(to: &writer)
    for number in [
      limit, revision, minimumModRevision, maximumModRevision, minimumCreateRevision, maximumCreateRevision,
    ] { writer.write(number) }
  }
}

extension Comparison {
  private enum Subject: UInt8 { case version = 1, createRevision, modRevision, value, lease }

  fileprivate init(from reader: inout ByteReader) throws(MalformedBytes) {
    let range = try KeyRange(from: &reader)
    guard let relation = Relation(rawValue: try reader.readUInt8()) else { throw MalformedBytes("comparison: relation") }
    let operand: Operand
    switch Subject(rawValue: try reader.readUInt8()) {
    case .version: operand = .version(try reader.readInt64())
    case .createRevision: operand = .createRevision(try reader.readInt64())
    case .modRevision: operand = .modRevision(try reader.readInt64())
    case .value: operand = .value(Value(try reader.readPrefixed()))
    case .lease: operand = .lease(try reader.readInt64())
    case nil: throw MalformedBytes("comparison: operand")
    }
    self.init(range: range, relation: relation, operand: operand)
  }

  fileprivate func write(to writer: inout ByteWriter) {
    range.write(to: &writer)
    writer.write(relation.rawValue)
    switch operand {
    case .version(let number): writer.write(Subject.version.rawValue, number)
    case .createRevision(let number): writer.write(Subject.createRevision.rawValue, number)
    case .modRevision(let number): writer.write(Subject.modRevision.rawValue, number)
    case .lease(let number): writer.write(Subject.lease.rawValue, number)
    case .value(let value):
      writer.write(Subject.value.rawValue)
      writer.write(prefixed: value)
    }
  }

  fileprivate var encodedCount: Int {
    if case .value(let value) = operand { range.encodedCount + 2 + 4 + value.count } else { range.encodedCount + 2 + 8 }
  }
}

extension TransactionRequest {
  fileprivate init(from reader: inout ByteReader, depth: Int) throws(MalformedBytes) {
    self.init()
    // Nothing is reserved on the word of a count: a liar soon runs out of bytes.
    for _ in 0..<(try reader.readUInt32()) { comparisons.append(try Comparison(from: &reader)) }
    for _ in 0..<(try reader.readUInt32()) { success.append(try Request(from: &reader, depth: depth)) }
    for _ in 0..<(try reader.readUInt32()) { failure.append(try Request(from: &reader, depth: depth)) }
  }

  fileprivate func write(to writer: inout ByteWriter) {
    writer.write(UInt32(comparisons.count))
    for comparison in comparisons { comparison.write(to: &writer) }
    writer.write(UInt32(success.count))
    for request in success { request.write(to: &writer) }
    writer.write(UInt32(failure.count))
    for request in failure { request.write(to: &writer) }
  }
}

extension ByteReader {
  /// A byte of which only the lowest `count` bits may be set.
  fileprivate mutating func readFlags(_ count: Int, of what: String) throws(MalformedBytes) -> UInt8 {
    let flags = try readUInt8()
    guard flags >> count == 0 else { throw MalformedBytes("\(what): flags") }
    return flags
  }
}

extension ByteWriter {
  fileprivate mutating func write(_ tag: UInt8, _ number: Int64) {
    write(tag)
    write(number)
  }
}
