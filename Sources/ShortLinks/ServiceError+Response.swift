import Hummingbird

extension ServiceError: HTTPResponseError {
  private struct Body: ResponseEncodable {
    struct Content: Encodable {
      var code: String
      var message: String
      /// The slug whose state is unknown, so that a program can look.
      var slug: String?
    }

    var error: Content
  }

  /// Seconds after which a client may try again.
  private static let retrySeconds = "1"
  private static let challenge = "Basic realm=\"links\", charset=\"UTF-8\""

  var status: HTTPResponse.Status {
    switch self {
    case .link(.slug), .link(.target): .unprocessableContent
    case .link(.row): .badRequest
    case .link(.taken): .conflict
    case .link(.missing), .request(.notFound): .notFound
    case .link(.changed): .preconditionFailed
    case .store(.refused(.access(.userNameEmpty))), .login(.nobody), .login(.wrong): .unauthorized
    case .store(.refused(.access)): .forbidden
    case .login(.tooManyWrong): .tooManyRequests
    case .login(.busy): .serviceUnavailable
    case .link(.damaged), .link(.unexpectedAnswer), .store(.refused): .internalServerError
    case .store(.unavailable), .store(.busy), .noFreeSlug: .serviceUnavailable
    case .store(.outcomeUnknown), .outcomeUnknown: .gatewayTimeout
    case .request(.body), .request(.parameter): .badRequest
    case .source(.foreignPage): .forbidden
    case .source: .badRequest
    case .request(.contentType), .request(.csvContentType): .unsupportedMediaType
    case .request(.tooLarge): .contentTooLarge
    }
  }

  /// JSON, or for browsers a page.
  func response(from request: Request, context: some RequestContext) throws -> Response {
    var slug: String?
    if case .outcomeUnknown(let unknown) = self { slug = unknown.text }
    var response =
      request.wantsHTML
      ? Page.failure(description).response(status)
      : try Body(error: .init(code: code, message: description, slug: slug)).response(from: request, context: context)
    response.status = status
    response.headers[.cacheControl] = "no-store"
    if status == .unauthorized { response.headers[.wwwAuthenticate] = Self.challenge }
    if status == .tooManyRequests { response.headers[.retryAfter] = "30" }
    if status == .serviceUnavailable { response.headers[.retryAfter] = Self.retrySeconds }
    return request.method == .head ? response.createHeadResponse() : response
  }
}
