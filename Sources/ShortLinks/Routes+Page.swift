import Hummingbird
import Links

extension Routes {
  /// The start page. After a create by its form, `made` names the new link.
  @Sendable func home(_ request: Request, _ context: LinkRequestContext) async -> Response {
    await home(request, made: request.uri.queryParameters["made"].flatMap { try? Slug(String($0)) })
  }

  /// The start page with what went wrong, and with the form as it was filled in.
  func home(_ request: Request, failure: ServiceError, fields: LinkFields) async -> Response {
    var response = await home(request, fields: fields, problem: failure.description)
    response.status = failure.status
    return response
  }

  private func home(_ request: Request, made: Slug? = nil, fields: LinkFields? = nil, problem: String? = nil) async -> Response {
    let recent = try? await recent.links()
    return Page.home(host: request.head.authority ?? "", made: made, fields: fields, problem: problem, recent: recent).response(.ok)
  }
}
