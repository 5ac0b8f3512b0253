/// Where a link leads: an absolute http or https address with a host, of at most 2,048 bytes. It is kept exactly as given.
///
/// What is refused, and why:
/// - other schemes (`javascript:`, `data:`) and relative addresses: a link must lead to a site, and never run as a script of ours;
/// - `user:password@`: `https://bank.example@evil.example/` leads to evil.example;
/// - control characters, spaces, `"`, `<`, `>`, the backslash and the backquote: no browser shows them in an address, some read
///   `\` as `/`, and a line break would end the header that the redirect stands in;
/// - bytes beyond ASCII: the caller percent-encodes paths and writes international names as `xn--…`, because doing it here would need
///   the tables of IDNA, and doing half of it would send visitors to another place than the one that was checked;
/// - hosts that are not what they seem: `2130706433`, `0x7f.1` and `127.1` are ways to write an IPv4 address, here all four numbers stand.
public struct Target: Hashable, Sendable, CustomStringConvertible {
  public static let maximumBytes = 2048

  public let text: String

  /// - Throws: `LinkError.target` with the first rule that is broken.
  public init(_ text: String) throws(LinkError) {
    let length = text.utf8.count
    guard length > 0 else { throw .target(.empty) }
    guard length <= Self.maximumBytes else { throw .target(.tooLong(bytes: length)) }
    do {
      let bytes = Array(text.utf8)
      try Self.checkCharacters(bytes)
      try Self.checkAuthority(try Self.authority(of: bytes))
    } catch {
      throw .target(error)
    }
    self.text = text
  }

  public var description: String { text }

  private static func checkCharacters(_ bytes: [UInt8]) throws(TargetRule) {
    for (offset, byte) in bytes.enumerated() {
      switch byte {
      case 0x80...: throw .notASCII(offset: offset)
      case 0...0x20, 0x7f: throw .character(offset: offset)
      case UInt8(ascii: "\""), UInt8(ascii: "<"), UInt8(ascii: ">"), UInt8(ascii: "\\"), UInt8(ascii: "`"):
        throw .character(offset: offset)
      default: break
      }
    }
  }

  /// What stands between `http://` and the path, the query or the fragment.
  private static func authority(of bytes: [UInt8]) throws(TargetRule) -> ArraySlice<UInt8> {
    for scheme in ["http://", "https://"] where bytes.starts(with: scheme.utf8, by: { $0.lowercasedASCII == $1 }) {
      let rest = bytes.dropFirst(scheme.utf8.count)
      return rest.prefix { $0 != UInt8(ascii: "/") && $0 != UInt8(ascii: "?") && $0 != UInt8(ascii: "#") }
    }
    throw .scheme
  }
}

extension TargetRule: Error {}
