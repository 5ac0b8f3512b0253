/// One step of a path, in one number: kind, node, argument.
struct Step: Equatable {
  enum Kind: UInt32 {
    /// The argument is a message's number; the node is its receiver.
    case deliver, deliverCopy, lose
    /// A node's patience ends. `timeOutAlone`: only its own clock went on, what others heard is still recent.
    case timeOut, timeOutAlone
    case heartbeat
    /// The argument is the value.
    case propose
    case sync
    case crash, crashWithinWrite
    /// What somebody else's `timeOut` is for a node; no step of its own.
    case silence
  }

  let code: UInt32

  /// The largest argument.
  static let maximumArgument: UInt32 = (1 << 26) - 1

  init(code: UInt32) { self.code = code }

  init(_ kind: Kind, _ node: Int, _ argument: UInt32 = 0) {
    code = kind.rawValue << 28 | UInt32(node) << 26 | argument
  }

  /// For the node it is the same occurrence.
  func like(_ kind: Kind) -> Step { Step(kind, node, argument) }

  var kind: Kind { Kind(rawValue: code >> 28) ?? .sync }
  var node: Int { Int(code >> 26 & 3) }
  var argument: UInt32 { code & Self.maximumArgument }
}
