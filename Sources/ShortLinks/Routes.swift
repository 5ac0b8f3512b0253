import Hummingbird
import Links
import RequestChecks

/// Which path does what. The service's own paths begin with an underscore, which no slug does.
///
/// Whoever comes may follow a link, and ask whether the service is there. All else needs a user where there are users.
struct Routes<Store: LinkStore>: Sendable {
  typealias Handler = @Sendable (Request, LinkRequestContext) async throws -> Response

  let service: LinkService<Store>
  let flusher: VisitFlusher<Store>
  let recent: RecentLinks<Store>
  let login: LoginCheck<Store>
  let headers: SafeHeaders
  let maximumImportBytes: Int

  func router() -> Router<LinkRequestContext> {
    let router = Router(context: LinkRequestContext.self, options: .autoGenerateHeadEndpoints)
    router.add(middleware: headers)
    router.add(middleware: SourceCheck())
    add("/", [(.get, home)], to: router)
    add("/_health", [(.get, health)], isOpen: true, to: router)
    add("/_links", [(.get, list), (.post, create)], to: router)
    add("/_links.csv", [(.get, exportLinks), (.post, importLinks)], to: router)
    add("/_links/{slug}", [(.get, show), (.put, edit), (.delete, delete)], to: router)
    add("/{slug}", [(.get, redirect)], isOpen: true, to: router)
    return router
  }

  /// Every other method of a path that there is gets 405 and is told which ones there are (RFC 9110, section 15.5.6).
  private func add(
    _ path: RouterPath, _ handlers: [(HTTPRequest.Method, Handler)], isOpen: Bool = false, to router: Router<LinkRequestContext>
  ) {
    var allowed: [HTTPRequest.Method] = []
    for (method, handler) in handlers {
      router.on(path, method: method) { [login] request, context in
        var context = context
        if !isOpen { context.subject = try await login.subject(of: request, context) }
        return try await handler(request, context)
      }
      allowed += method == .get ? [.get, .head] : [method]
    }
    let allow = allowed.map(\.rawValue).joined(separator: ", ")
    let known: [HTTPRequest.Method] = [.get, .head, .post, .put, .patch, .delete, .options, .trace, .connect]
    for method in known where !allowed.contains(method) {
      router.on(path, method: method) { _, _ in Response(status: .methodNotAllowed, headers: [.allow: allow]) }
    }
  }

  /// Does not pass through any queue: it says that this process answers, not that there is a quorum.
  @Sendable private func health(_ request: Request, _ context: LinkRequestContext) throws -> Response {
    let tally = flusher.tally
    let visits = Health.Visits(waiting: tally.waiting, committed: tally.committed, dropped: tally.dropped)
    var response = try Health(status: "ok", visits: visits).response(from: request, context: context)
    response.headers[.cacheControl] = "no-store"
    return response
  }

  /// A character may be percent-encoded or not: the path is the same (RFC 3986, section 6.2.2). That holds for slugs alone: for a proxy
  /// that guards the service's own paths it is enough to know them as they are written.
  static func slug(_ context: LinkRequestContext) throws(ServiceError) -> Slug {
    do {
      return try Slug(PercentEncoding.decode(context.parameters.get("slug") ?? "") ?? "")
    } catch {
      // What cannot be the name of a link is not found, whatever rule it breaks.
      throw .request(.notFound)
    }
  }
}

private struct Health: ResponseEncodable {
  struct Visits: Encodable {
    var waiting: UInt64
    var committed: UInt64
    var dropped: UInt64
  }

  var status: String
  var visits: Visits
}

extension Routes {
  /// The start page. After a create by its form, `made` names the new link.
  @Sendable func home(_ request: Request, _ context: LinkRequestContext) async throws -> Response {
    try await home(request, context, made: request.uri.queryParameters["made"].flatMap { try? Slug(String($0)) })
  }

  /// The start page with what went wrong, and with the form as it was filled in.
  func home(_ request: Request, _ context: LinkRequestContext, failure: ServiceError, fields: LinkFields) async throws -> Response {
    var response = try await home(request, context, fields: fields, problem: failure.description)
    response.status = failure.status
    return response
  }

  private func home(
    _ request: Request, _ context: LinkRequestContext, made: Slug? = nil, fields: LinkFields? = nil, problem: String? = nil
  ) async throws(ServiceError) -> Response {
    var links: [StoredLink]?
    do throws(ServiceError) {
      links = try await recent.links(for: context.subject)
    } catch .store(.refused(.access(let error))) {
      throw .store(.refused(.access(error)))
    } catch {
      links = nil
    }
    return Page.home(host: request.head.authority ?? "", made: made, fields: fields, problem: problem, recent: links).response(.ok)
  }
}

extension Routes {
  /// 302 and `no-store`: a redirect that browsers or proxies remember would not be counted the next time, and would outlive an edit.
  @Sendable func redirect(_ request: Request, _ context: LinkRequestContext) async throws -> Response {
    let link = try await service.resolve(try Self.slug(context))
    // A HEAD request asks about the link; it does not follow it.
    if request.method == .get { flusher.record(link.identity) }
    return Response(status: .found, headers: [.location: link.link.target.text, .cacheControl: "no-store"])
  }
}
