/// What a request says of where it goes and where it comes from, apart from what it wants.
package struct RequestSource: Sendable {
  package var method: String
  /// HTTP/1.1 demands the field `Host`, HTTP/1.0 does not know it.
  package var needsHost: Bool
  /// Every field `Host`; that of an absolute target alone, if there is one.
  package var hosts: [String]
  /// Every field `Origin`: where the page that made the browser send this is from. Only browsers send it.
  package var origins: [String]
  /// `Sec-Fetch-Site`: what the browser itself thinks of that.
  package var fetchSite: String?

  package init(method: String, needsHost: Bool, hosts: [String], origins: [String], fetchSite: String?) {
    self.method = method
    self.needsHost = needsHost
    self.hosts = hosts
    self.origins = origins
    self.fetchSite = fetchSite
  }

  /// - Parameter servesPages: Whether the pages of this port are what its users use. If so, any name that leads here may be the right one,
  ///   for nobody has told the port its names. If not, a page can be at home here only under a number or a local name: one under another
  ///   name has made that name lead here (DNS rebinding).
  package func check(servesPages: Bool) throws(RequestFault) {
    guard hosts.count <= 1 else { throw .severalHosts }
    guard !hosts.isEmpty || !needsHost else { throw .noHost }
    let host = hosts.first.map { Authority($0) }
    if case .some(nil) = host { throw .malformedHost }
    guard !["GET", "HEAD", "OPTIONS", "TRACE"].contains(method), isFromPage else { return }
    guard let authority = host ?? nil, servesPages || authority.isNumericOrLocal, isFromSameSite(authority) else {
      throw .foreignPage(origins.first)
    }
  }

  /// A person who types an address, or a program that is no browser, sends neither field.
  private var isFromPage: Bool { !origins.isEmpty || fetchSite.map { $0 != "none" } ?? false }

  /// What the browser thinks counts most: it knows the address that it was given, whatever a proxy made of it.
  private func isFromSameSite(_ host: Authority) -> Bool {
    if let fetchSite, fetchSite != "none" { return fetchSite == "same-origin" }
    guard origins.count == 1, let colon = origins[0].firstRange(of: "://") else { return false }
    let scheme = origins[0][..<colon.lowerBound].lowercased()
    guard ["http", "https"].contains(scheme), let origin = Authority(origins[0][colon.upperBound...]) else { return false }
    // Behind a proxy that speaks TLS the host names no port, whichever it is.
    return origin.matches(host, scheme: scheme)
  }
}

/// Why a request is refused before anybody looks at what it wants. Nothing was changed.
package enum RequestFault: Error, Hashable, Sendable, CustomStringConvertible {
  case noHost
  case severalHosts
  case malformedHost
  /// It would change something, and a page of another site made a browser send it.
  case foreignPage(String?)

  package var description: String {
    switch self {
    case .noHost: "the request has no field Host, which HTTP/1.1 demands"
    case .severalHosts: "the request has more than one field Host"
    case .malformedHost: "the field Host does not hold a host and, if wanted, a port"
    case .foreignPage(let origin):
      "a page of another site (\(origin.map { String($0.prefix(100)) } ?? "unnamed")) made a browser send this, so it was refused; "
        + "nothing was changed"
    }
  }
}
