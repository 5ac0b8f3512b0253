import KeyValue

// The fields of what clients send, as etcd's `rpc.proto` has them.

enum RangeField: String, MessageField {
  case key, limit, revision, serializable
  case rangeEnd = "range_end"
  case sortOrder = "sort_order"
  case sortTarget = "sort_target"
  case keysOnly = "keys_only"
  case countOnly = "count_only"
  case minimumModRevision = "min_mod_revision"
  case maximumModRevision = "max_mod_revision"
  case minimumCreateRevision = "min_create_revision"
  case maximumCreateRevision = "max_create_revision"

  static let names = FieldNames<Self>()
}

enum PutField: String, MessageField {
  case key, value, lease
  case previous = "prev_kv"
  case ignoreValue = "ignore_value"
  case ignoreLease = "ignore_lease"

  static let names = FieldNames<Self>()
}

enum DeleteField: String, MessageField {
  case key
  case rangeEnd = "range_end"
  case previous = "prev_kv"

  static let names = FieldNames<Self>()
}

enum TransactionField: String, MessageField {
  case compare, success, failure

  static let names = FieldNames<Self>()
}

enum OperationField: String, MessageField {
  case range = "request_range"
  case put = "request_put"
  case delete = "request_delete_range"
  case transaction = "request_txn"

  static let names = FieldNames<Self>()
}

enum ComparisonField: String, MessageField {
  case result, target, key, version, value, lease
  case rangeEnd = "range_end"
  case createRevision = "create_revision"
  case modRevision = "mod_revision"

  static let names = FieldNames<Self>()

  /// What a comparison with this field's value is about, if it is one that holds a value.
  var operand: ComparisonTarget {
    switch self {
    case .createRevision: .createRevision
    case .modRevision: .modRevision
    case .value: .value
    case .lease: .lease
    default: .version
    }
  }
}

enum ComparisonTarget { case version, createRevision, modRevision, value, lease }

extension ComparisonTarget: WireNamed {
  static let wireNames: [(name: String, value: Self)] = [
    ("VERSION", .version), ("CREATE", .createRevision), ("MOD", .modRevision), ("VALUE", .value), ("LEASE", .lease),
  ]
}

extension RangeRequest.Order: WireNamed {
  static let wireNames: [(name: String, value: Self)] = [("NONE", .none), ("ASCEND", .ascending), ("DESCEND", .descending)]
}

extension RangeRequest.Target: WireNamed {
  static let wireNames: [(name: String, value: Self)] = [
    ("KEY", .key), ("VERSION", .version), ("CREATE", .createRevision), ("MOD", .modRevision), ("VALUE", .value),
  ]
}

extension Comparison.Relation: WireNamed {
  static let wireNames: [(name: String, value: Self)] = [
    ("EQUAL", .equal), ("GREATER", .greater), ("LESS", .less), ("NOT_EQUAL", .notEqual),
  ]
}
