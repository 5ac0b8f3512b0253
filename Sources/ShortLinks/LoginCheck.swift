import Hummingbird
import KeyValue

#if canImport(FoundationEssentials)
  import FoundationEssentials
#else
  import Foundation
#endif

/// Who asks, where there are users: HTTP's Basic authentication (RFC 7617). Browsers ask for name and password themselves, and send them
/// with every request; so there are no sessions to steal, and no page for logins. That a page of another site makes a browser send them is
/// what `SourceCheck` is for.
struct LoginCheck<Store: LinkStore>: Sendable {
  let store: Store

  /// `nobody` where there are no users.
  func subject(of request: Request, _ context: LinkRequestContext) async throws(ServiceError) -> Subject {
    guard store.hasUsers else { return .nobody }
    guard let login = LinkLogin(authorization: request.headers[.authorization], host: context.host) else { throw .login(.nobody) }
    switch await store.judge(login) {
    case .right: return .user(login.user)
    case .wrong: throw .login(.wrong)
    case .tooManyWrong: throw .login(.tooManyWrong)
    case .busy: throw .login(.busy)
    }
  }
}

extension LinkLogin {
  /// `nil` for what is no name and password.
  init?(authorization: String?, host: String?) {
    guard let parts = authorization?.split(separator: " "), parts.count == 2, parts[0].lowercased() == "basic",
      let data = Data(base64Encoded: String(parts[1])), let text = String(validating: data, as: UTF8.self),
      let colon = text.firstIndex(of: ":")
    else { return nil }
    self.init(user: AccessName(String(text[..<colon])), password: String(text[text.index(after: colon)...]), host: host)
  }
}
