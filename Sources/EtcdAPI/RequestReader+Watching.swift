import KeyValue

private enum WatchField: String, MessageField {
  case create = "create_request"
  case cancel = "cancel_request"
  case progress = "progress_request"

  static let names = FieldNames<Self>()
}

private enum WatchCreateField: String, MessageField {
  case key, filters, fragment
  case rangeEnd = "range_end"
  case startRevision = "start_revision"
  case progressNotify = "progress_notify"
  case previous = "prev_kv"
  case id = "watch_id"

  static let names = FieldNames<Self>()
}

private enum WatchCancelField: String, MessageField {
  case id = "watch_id"

  static let names = FieldNames<Self>()
}

private enum NoField: String, MessageField {
  case none

  static let names = FieldNames<Self>()
}

extension EventFilter: WireNamed {
  static let wireNames: [(name: String, value: Self)] = [("NOPUT", .noPut), ("NODELETE", .noDelete)]
}

/// What a client says on a watch stream: one of `WatchRequest`'s three.
enum WatchCommand: Sendable {
  /// `id`: 0 lets the stream choose.
  case create(WatchRequest, id: Int64)
  case cancel(id: Int64)
  case progress
}

extension RequestReader {
  /// All that the body says, one after the other. A message that says nothing is passed over, as etcd does.
  mutating func readWatchCommands(most: Int) throws(APIError) -> [WatchCommand] {
    var commands: [WatchCommand] = []
    while !json.isAtEnd {
      var message = try json.openBody(WatchField.self)
      var command: WatchCommand?
      while let field = try json.next(&message) {
        guard command == nil else {
          throw APIError(.invalidArgument, "a message must be one of create_request, cancel_request, progress_request")
        }
        switch field {
        case .create: command = try creation(try json.openMessage())
        case .cancel: command = .cancel(id: try cancelledID(try json.openMessage()))
        case .progress:
          var nothing = try json.openMessage(NoField.self)
          while try json.next(&nothing) != nil { try json.skip() }
          command = .progress
        }
      }
      guard commands.count < most else {
        throw APIError(.resourceExhausted, "coracle: a stream takes at most \(most) requests: open another")
      }
      if let command { commands.append(command) }
    }
    return commands
  }

  private mutating func creation(_ message: JSONReader.Message<WatchCreateField>) throws(APIError) -> WatchCommand {
    var fields = message
    var (start, end): (Key, Key) = ([], [])
    var request = WatchRequest(range: KeyRange([]))
    var id: Int64 = 0
    while let field = try json.next(&fields) {
      switch field {
      case .key: start = try json.readBytes()
      case .rangeEnd: end = try json.readBytes()
      case .startRevision: request.startRevision = try json.readInteger()
      case .progressNotify: request.wantsProgress = try json.readFlag()
      case .previous: request.wantsPrevious = try json.readFlag()
      case .fragment: request.splitsRevisions = try json.readFlag()
      case .id: id = try json.readInteger()
      case .filters:
        var list = try json.openList()
        // One that is not known filters nothing.
        while try json.next(&list) { if let filter = try json.readChoice(EventFilter.self) { request.filter.insert(filter) } }
      }
    }
    // As etcd: no key is the first there can be.
    request.range = KeyRange(start: start.isEmpty ? [0] : start, end: end)
    return .create(request, id: id)
  }

  private mutating func cancelledID(_ message: JSONReader.Message<WatchCancelField>) throws(APIError) -> Int64 {
    var fields = message
    var id: Int64 = 0
    while try json.next(&fields) != nil { id = try json.readInteger() }
    return id
  }
}
