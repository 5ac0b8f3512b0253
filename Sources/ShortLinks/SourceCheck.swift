import Hummingbird
import RequestChecks

/// Refuses what HTTP does not allow, and what a page of another site wants to change.
struct SourceCheck: RouterMiddleware {
  typealias Context = LinkRequestContext

  func handle(
    _ request: Request, context: LinkRequestContext, next: (Request, LinkRequestContext) async throws -> Response
  ) async throws -> Response {
    // What was before HTTP/1.1 has an empty one by now.
    let source = RequestSource(
      method: request.method.rawValue, needsHost: true, hosts: (request.head.authority.map { [$0] } ?? []) + request.values(of: "host"),
      origins: request.values(of: "origin"), fetchSite: request.values(of: "sec-fetch-site").first)
    do throws(RequestFault) {
      try source.check(servesPages: true)
    } catch {
      throw ServiceError.source(error)
    }
    return try await next(request, context)
  }
}

extension Request {
  /// Of a field, by its name in small letters.
  fileprivate func values(of name: String) -> [String] { headers.filter { $0.name.canonicalName == name }.map(\.value) }
}
