import KeyValue

private enum ClaimField: String, MessageField {
  case name, lease, value, key, leader

  static let names = FieldNames<Self>()
}

private enum LeaderField: String, MessageField {
  case name, key, rev, lease

  static let names = FieldNames<Self>()
}

/// What etcd's messages about locks and elections have between them.
struct ClaimFields {
  var name: Key = []
  /// 0: none is given.
  var lease: LeaseID = 0
  var value: Value = []
  var key: Key = []
  /// What an elected one shows for it.
  var leader: Fence?
}

extension RequestReader {
  /// `LockRequest`, `UnlockRequest`, `CampaignRequest`, `ProclaimRequest`, `LeaderRequest`, `ResignRequest`.
  mutating func readClaim() throws(APIError) -> ClaimFields {
    var message = try json.openBody(ClaimField.self)
    var fields = ClaimFields()
    while let field = try json.next(&message) {
      switch field {
      case .name: fields.name = try json.readBytes()
      case .lease: fields.lease = try json.readInteger()
      case .value: fields.value = try json.readBytes()
      case .key: fields.key = try json.readBytes()
      case .leader: fields.leader = try leader(try json.openMessage())
      }
    }
    try json.closeBody()
    return fields
  }

  private mutating func leader(_ message: JSONReader.Message<LeaderField>) throws(APIError) -> Fence {
    var message = message
    var (key, token, lease): (Key, Revision, LeaseID) = ([], 0, 0)
    while let field = try json.next(&message) {
      switch field {
      case .name: _ = try json.readBytes()
      case .key: key = try json.readBytes()
      case .rev: token = try json.readInteger()
      case .lease: lease = try json.readInteger()
      }
    }
    return Fence(key: key, token: token, lease: lease)
  }
}
