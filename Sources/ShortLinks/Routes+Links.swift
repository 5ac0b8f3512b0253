import Hummingbird
import Links
import NIOCore

/// A link in JSON.
struct LinkBody: ResponseEncodable {
  var slug: String
  /// Where the redirect is, on this host.
  var path: String
  var target: String
  /// Seconds since 1970.
  var created: UInt64
  /// What `If-Match` compares.
  var revision: Int64
  /// Left out where they were not read.
  var visits: UInt64?

  init(_ stored: StoredLink, visits: UInt64? = nil) {
    slug = stored.slug.text
    path = "/\(stored.slug)"
    target = stored.link.target.text
    created = stored.link.createdSeconds
    revision = stored.modRevision
    self.visits = visits
  }
}

/// What a create or an edit sends, as JSON or as a form.
struct LinkFields: Decodable {
  var target: String
  /// Missing or empty: a random one.
  var slug: String?
}

private struct PageBody: ResponseEncodable {
  var links: [LinkBody]
  /// What to give as `after` for the next page.
  var next: String?
  /// This node may lag behind.
  var stale: Bool
}

extension Routes {
  @Sendable func list(_ request: Request, _ context: LinkRequestContext) async throws -> Response {
    let query = request.uri.queryParameters
    var after: Slug?
    if let text = query["after"] {
      guard let slug = try? Slug(String(text)) else { throw ServiceError.request(.parameter("after")) }
      after = slug
    }
    var limit = 50
    if let text = query["limit"] {
      guard let number = Int(text), 1...LinkShortener.maximumPage ~= number else { throw ServiceError.request(.parameter("limit")) }
      limit = number
    }
    let listing = try await service.list(after: after, limit: limit, for: context.subject)
    for key in listing.damaged { context.logger.error("a link cannot be read", metadata: ["key": "\(key)"]) }
    let body = PageBody(
      links: listing.links.map { LinkBody($0.stored, visits: $0.visits) }, next: listing.next?.text, stale: listing.isStale)
    return try uncached(body.response(from: request, context: context))
  }

  /// 201 for a new link, 200 if the very link is there already. A browser's form is answered with a page.
  @Sendable func create(_ request: Request, _ context: LinkRequestContext) async throws -> Response {
    let fields = try await fields(of: request, context)
    let created: LinkService<Store>.Created
    do throws(ServiceError) {
      let target = try rule { () throws(LinkError) in try Target(fields.target) }
      if let text = fields.slug, !text.isEmpty {
        created = try await service.create(try rule { () throws(LinkError) in try Slug(text) }, target, for: context.subject)
      } else {
        created = try await service.create(target, for: context.subject)
      }
    } catch {
      guard request.wantsHTML, !error.isAboutUsers else { throw error }
      return try await home(request, context, failure: error, fields: fields)
    }
    recent.forget()
    let (link, status): (StoredLink, HTTPResponse.Status) =
      switch created {
      case .new(let link): (link, .created)
      case .same(let link): (link, .ok)
      }
    // A page that is reloaded must not make another link: so the browser is sent to a page that it gets.
    if request.wantsHTML { return Response(status: .seeOther, headers: [.location: "/?made=\(link.slug)", .cacheControl: "no-store"]) }
    var response = try answer(link, request, context)
    response.status = status
    response.headers[.location] = "/_links/\(link.slug)"
    return response
  }

  @Sendable func show(_ request: Request, _ context: LinkRequestContext) async throws -> Response {
    let listing = try await service.show(try Self.slug(context), for: context.subject)
    let (stored, visits) = listing.links[0]
    return try answer(stored, visits: visits, request, context)
  }

  /// Lets a link lead elsewhere. `If-Match` with the link's revision makes sure that nobody changed it meanwhile.
  @Sendable func edit(_ request: Request, _ context: LinkRequestContext) async throws -> Response {
    let slug = try Self.slug(context)
    let fields = try await fields(of: request, context)
    let target = try rule { () throws(LinkError) in try Target(fields.target) }
    let edited = try await service.edit(slug, target, revision: try expectedRevision(request), for: context.subject)
    return try answer(edited, request, context)
  }

  /// Deletes a link and its visits. `If-Match` as with an edit.
  @Sendable func delete(_ request: Request, _ context: LinkRequestContext) async throws -> Response {
    try await service.delete(try Self.slug(context), revision: try expectedRevision(request), for: context.subject)
    return Response(status: .noContent)
  }
}

extension Routes {
  private func answer(_ link: StoredLink, visits: UInt64? = nil, _ request: Request, _ context: LinkRequestContext) throws -> Response {
    var response = try LinkBody(link, visits: visits).response(from: request, context: context)
    response.headers[.eTag] = "\"\(link.modRevision)\""
    return uncached(response)
  }

  private func uncached(_ response: Response) -> Response {
    var response = response
    response.headers[.cacheControl] = "no-store"
    return response
  }

  /// The revision in `If-Match`, or `nil` for any.
  private func expectedRevision(_ request: Request) throws(ServiceError) -> Int64? {
    guard let text = request.headers[.ifMatch], text != "*" else { return nil }
    guard text.hasPrefix("\""), text.hasSuffix("\""), let revision = Int64(text.dropFirst().dropLast()) else {
      throw .request(.parameter("If-Match"))
    }
    return revision
  }

  private func fields(of request: Request, _ context: LinkRequestContext) async throws -> LinkFields {
    let type = request.headers[.contentType].flatMap { MediaType(from: $0) }
    do {
      if let type, type.isType(.applicationJson) {
        return try await request.decode(as: LinkFields.self, context: context)
      } else if let type, type.isType(.applicationUrlEncoded) {
        return try await URLEncodedFormDecoder().decode(LinkFields.self, from: request, context: context)
      }
    } catch is NIOTooManyBytesError {
      throw ServiceError.request(.tooLarge(maximumBytes: context.maxUploadSize))
    } catch {
      throw ServiceError.request(.body)
    }
    throw ServiceError.request(.contentType)
  }

  private func rule<Value>(_ make: () throws(LinkError) -> Value) throws(ServiceError) -> Value {
    do {
      return try make()
    } catch {
      throw .link(error)
    }
  }
}
