/// The name of a user or of a role: text, whose UTF-8 bytes are compared and put in order, so that names which only look alike are not the
/// same, and the order is that of every node.
public struct AccessName: Hashable, Sendable {
  /// UTF-8. Of one that is in the store: 1 to `Limits.accessNameBytes`.
  public let bytes: [UInt8]

  public init(_ text: String) { bytes = Array(text.utf8) }

  /// - Returns: `nil` if the bytes are no UTF-8.
  init?(validating bytes: some Collection<UInt8>) {
    guard String(validating: bytes, as: UTF8.self) != nil else { return nil }
    self.bytes = Array(bytes)
  }

  public var text: String { String(decoding: bytes, as: UTF8.self) }

  /// The user and the role of administrators.
  public static let root = AccessName("root")
}

extension AccessName: Comparable {
  public static func < (a: AccessName, b: AccessName) -> Bool { ByteOrder.compare(a.bytes, b.bytes) < 0 }
}

extension AccessName: ExpressibleByStringLiteral, CustomStringConvertible {
  public init(stringLiteral text: String) { self.init(text) }

  public var description: String { text }
}

/// What has a name by which lists of it are in order.
protocol AccessNamed {
  var name: AccessName { get }
}

extension Array where Element: AccessNamed {
  /// Where the one of this name stands in the order, or would. O(log n).
  func place(of name: AccessName) -> (index: Int, isFound: Bool) {
    var (low, high) = (0, count)
    while low < high {
      let middle = low + (high - low) / 2
      let order = ByteOrder.compare(self[middle].name.bytes, name.bytes)
      if order == 0 { return (middle, true) }
      if order < 0 { low = middle + 1 } else { high = middle }
    }
    return (low, false)
  }
}
