import Hummingbird

/// What browsers are told of every answer, so that one which holds a stranger's text can do as little as possible.
struct SafeHeaders: RouterMiddleware {
  typealias Context = LinkRequestContext

  /// The port speaks TLS with a certificate that browsers know.
  let isTrustedByBrowsers: Bool

  /// Seconds in which a browser comes back by TLS alone.
  private static let strictSeconds = 30 * 86400
  private typealias Name = HTTPFields.Element.Name
  // Names with a hyphen are valid.
  private static let referrerPolicy = Name("Referrer-Policy")!
  private static let frameOptions = Name("X-Frame-Options")!

  func handle(
    _ request: Request, context: LinkRequestContext, next: (Request, LinkRequestContext) async throws -> Response
  ) async throws -> Response {
    var response: Response
    do {
      response = try await next(request, context)
    } catch let error as any HTTPResponseError {
      response = try error.response(from: request, context: context)
    }
    response.headers[.xContentTypeOptions] = "nosniff"
    response.headers[Self.frameOptions] = "DENY"
    if response.headers[.contentSecurityPolicy] == nil {
      response.headers[.contentSecurityPolicy] = "default-src 'none'; frame-ancestors 'none'"
    }
    // A link belongs to the page that has it, and to the one where it leads: what they tell each other is their own affair.
    if response.status != .found {
      // Not `no-referrer`: with that, browsers do not say any more that a form is of this very site.
      response.headers[Self.referrerPolicy] = "same-origin"
      response.headers[.crossOriginResourcePolicy] = "same-origin"
    }
    // It counts for all ports of the host, so it is said only where browsers look for the host's own pages.
    if isTrustedByBrowsers, let host = request.head.authority, !Self.namesPort(host) {
      response.headers[.strictTransportSecurity] = "max-age=\(Self.strictSeconds)"
    }
    return response
  }

  private static func namesPort(_ authority: String) -> Bool {
    guard let colon = authority.lastIndex(of: ":") else { return false }
    return !authority[colon...].contains("]")
  }
}
