/// What stands between the method and the version of a request (RFC 9112, section 3.2).
package struct RequestTarget: Hashable, Sendable {
  /// Of the absolute form, `http://host/path`; it counts instead of the field `Host`.
  package let authority: String?
  /// Path and query.
  package let path: String

  /// `nil` for what is neither of origin form (`/path`) nor of absolute form, nor `*`.
  package init?(_ text: String) {
    if text.utf8.first == UInt8(ascii: "/") || text == "*" {
      authority = nil
      path = text
      return
    }
    guard let colon = text.firstRange(of: "://"), ["http", "https"].contains(text[..<colon.lowerBound].lowercased()) else { return nil }
    let rest = text[colon.upperBound...]
    let end = rest.firstIndex { $0 == "/" || $0 == "?" } ?? rest.endIndex
    guard end > rest.startIndex, Authority(rest[..<end]) != nil else { return nil }
    authority = String(rest[..<end])
    path = rest[end...].hasPrefix("/") ? String(rest[end...]) : "/" + rest[end...]
  }
}
