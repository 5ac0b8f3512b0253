import KeyValue

private enum LeaseField: String, MessageField {
  case id = "ID"
  case timeToLive = "TTL"
  case keys

  static let names = FieldNames<Self>()
}

private enum CompactionField: String, MessageField {
  case revision, physical

  static let names = FieldNames<Self>()
}

private enum AlarmField: String, MessageField {
  case action, memberID, alarm

  static let names = FieldNames<Self>()
}

/// What a client wants of the alarms.
enum AlarmAction: WireNamed {
  case get, activate, deactivate

  static let wireNames: [(name: String, value: Self)] = [("GET", .get), ("ACTIVATE", .activate), ("DEACTIVATE", .deactivate)]
}

/// Which alarm is meant. Only the first is ever raised here.
enum AlarmKind: WireNamed {
  case any, noSpace, corrupt

  static let wireNames: [(name: String, value: Self)] = [("NONE", .any), ("NOSPACE", .noSpace), ("CORRUPT", .corrupt)]
}

extension RequestReader {
  /// `LeaseGrantRequest`; without a number, one is chosen.
  mutating func readGrant() throws(APIError) -> LeaseGrantRequest {
    let fields = try readLease()
    return LeaseGrantRequest(id: fields.id == 0 ? .random(in: 1 ... .max) : fields.id, timeToLive: fields.timeToLive)
  }

  /// `LeaseRevokeRequest`, `LeaseTimeToLiveRequest`.
  mutating func readLease() throws(APIError) -> (id: LeaseID, timeToLive: Int64, wantsKeys: Bool) {
    let fields = try leaseFields(try json.openBody())
    try json.closeBody()
    return fields
  }

  /// The `LeaseKeepAliveRequest`s of a stream, one after the other.
  mutating func readKeepAlives(most: Int) throws(APIError) -> [LeaseID] {
    var leases: [LeaseID] = []
    while !json.isAtEnd {
      guard leases.count < most else {
        throw APIError(.resourceExhausted, "coracle: a stream takes at most \(most) requests: open another")
      }
      leases.append(try leaseFields(try json.openBody()).id)
    }
    return leases
  }

  private mutating func leaseFields(
    _ message: JSONReader.Message<LeaseField>
  ) throws(APIError) -> (id: LeaseID, timeToLive: Int64, wantsKeys: Bool) {
    var message = message
    var fields: (id: LeaseID, timeToLive: Int64, wantsKeys: Bool) = (0, 0, false)
    while let field = try json.next(&message) {
      switch field {
      case .id: fields.id = try json.readInteger()
      case .timeToLive: fields.timeToLive = try json.readInteger()
      case .keys: fields.wantsKeys = try json.readFlag()
      }
    }
    return fields
  }

  /// `CompactionRequest`. Whether the memory has to be free by the answer (`physical`) does not matter: it is given back with what follows.
  mutating func readCompaction() throws(APIError) -> CompactionRequest {
    var message = try json.openBody(CompactionField.self)
    var revision: Revision = 0
    while let field = try json.next(&message) {
      switch field {
      case .revision: revision = try json.readInteger()
      case .physical: _ = try json.readFlag()
      }
    }
    try json.closeBody()
    return CompactionRequest(revision: revision)
  }

  /// `AlarmRequest`.
  mutating func readAlarm() throws(APIError) -> (action: AlarmAction, kind: AlarmKind) {
    var message = try json.openBody(AlarmField.self)
    var (action, kind): (AlarmAction, AlarmKind) = (.get, .any)
    while let field = try json.next(&message) {
      switch field {
      case .action: action = try choice(else: APIError(.invalidArgument, "coracle: unknown action of an alarm"))
      case .memberID: _ = try json.readUnsigned()
      case .alarm: kind = try choice(else: APIError(.invalidArgument, "coracle: unknown alarm"))
      }
    }
    try json.closeBody()
    return (action, kind)
  }
}
