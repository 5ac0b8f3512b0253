import Hummingbird
import Links

extension Routes {
  /// 302 and `no-store`: a redirect that browsers or proxies remember would not be counted the next time, and would outlive an edit.
  @Sendable func redirect(_ request: Request, _ context: LinkRequestContext) async throws -> Response {
    let link = try await service.resolve(try Self.slug(context))
    // A HEAD request asks about the link; it does not follow it.
    if request.method == .get { flusher.record(link.identity) }
    return Response(status: .found, headers: [.location: link.link.target.text, .cacheControl: "no-store"])
  }
}
