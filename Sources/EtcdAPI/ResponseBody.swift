import KeyValue

/// An answer's body, made as fast as the client takes it: a range of a million pairs is never in memory as text.
struct ResponseBody: Sendable {
  private enum Fragment {
    case json([UInt8])
    /// Elements that go on after another.
    case pairs(ArraySlice<KeyValuePair>)
  }

  private var fragments: ArraySlice<Fragment>
  private let chunkBytes: Int

  init(_ bytes: [UInt8]) {
    fragments = [.json(bytes)]
    chunkBytes = bytes.count
  }

  private init(fragments: [Fragment], chunkBytes: Int) {
    self.fragments = fragments[...]
    self.chunkBytes = chunkBytes
  }

  var isFinished: Bool { fragments.isEmpty }

  /// The next part, of about `chunkBytes`; `nil` at the end.
  mutating func next() -> [UInt8]? {
    guard !isFinished else { return nil }
    var chunk: [UInt8] = []
    while chunk.count < chunkBytes, let fragment = fragments.popFirst() {
      switch fragment {
      case .json(let bytes): chunk += bytes
      case .pairs(var pairs):
        var writer = JSONWriter(continuing: true)
        while chunk.count + writer.bytes.count < chunkBytes, let pair = pairs.popFirst() { writer.pair(pair) }
        chunk += writer.bytes
        if !pairs.isEmpty { fragments = [.pairs(pairs)] + fragments }
      }
    }
    return chunk
  }

  /// Makes a body: JSON, and pairs that may wait until they are sent.
  struct Writer {
    var json = JSONWriter()
    private var fragments: [Fragment] = []
    private let chunkBytes: Int

    init(chunkBytes: Int) { self.chunkBytes = chunkBytes }

    mutating func object(_ name: StaticString? = nil, _ fields: (inout Writer) -> Void) {
      json.openObject(name)
      fields(&self)
      json.closeObject()
    }

    /// Left out when empty.
    mutating func pairs(_ name: StaticString, _ pairs: [KeyValuePair]) {
      guard let first = pairs.first else { return }
      json.openArray(name)
      json.pair(first)
      var rest = pairs.dropFirst()
      while json.bytes.count < chunkBytes, let pair = rest.popFirst() { json.pair(pair) }
      if !rest.isEmpty { fragments += [.json(json.takeBytes()), .pairs(rest)] }
      json.closeArray()
    }

    consuming func finish() -> ResponseBody { ResponseBody(fragments: fragments + [.json(json.bytes)], chunkBytes: chunkBytes) }
  }
}

extension JSONWriter {
  /// `mvccpb.KeyValue`, as an element.
  fileprivate mutating func pair(_ pair: KeyValuePair) { object { $0.fields(of: pair) } }

  fileprivate mutating func fields(of pair: KeyValuePair) {
    field("key", base64: pair.key)
    field("create_revision", pair.createRevision)
    field("mod_revision", pair.modRevision)
    field("version", pair.version)
    field("value", base64: pair.value)
  }

  mutating func pair(_ name: StaticString, _ pair: KeyValuePair) { object(name) { $0.fields(of: pair) } }
}
