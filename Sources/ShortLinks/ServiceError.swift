import KeyValue
import Links
import RequestChecks

/// Why the service did not do what was asked.
enum ServiceError: Error, Hashable, Sendable {
  /// A rule of links was broken.
  case link(LinkError)
  /// The store did not answer.
  case store(LinkStoreError)
  /// The change of this link may have been made.
  case outcomeUnknown(Slug)
  /// Every random slug that was tried is taken.
  case noFreeSlug
  /// The request itself cannot be read.
  case request(RequestRule)
  /// It goes or comes from where it may not.
  case source(RequestFault)
  /// There are users, and nobody is known to be one.
  case login(LoginFault)

  /// It is about who asks, not about what is asked for.
  var isAboutUsers: Bool {
    switch self {
    case .login, .store(.refused(.access)): true
    default: false
    }
  }
}

enum LoginFault: Hashable, Sendable {
  case nobody
  case wrong
  case tooManyWrong
  case busy
}

enum RequestRule: Hashable, Sendable {
  /// No link can have this name.
  case notFound
  /// Neither JSON nor a form with the fields that belong there.
  case body
  case contentType
  case csvContentType
  case parameter(String)
  case tooLarge(maximumBytes: Int)
}

extension ServiceError: CustomStringConvertible {
  /// A stable word for programs.
  var code: String {
    switch self {
    case .link(let error): error.code
    case .store(.unavailable): "unavailable"
    case .store(.busy): "busy"
    case .store(.outcomeUnknown), .outcomeUnknown: "outcome-unknown"
    case .store(.refused(.access(.userNameEmpty))), .login(.nobody): "login-needed"
    case .store(.refused(.access)): "forbidden"
    case .store(.refused): "store-refused"
    case .login(.wrong): "wrong-login"
    case .login(.tooManyWrong): "too-many-logins"
    case .login(.busy): "busy"
    case .noFreeSlug: "no-free-slug"
    case .request(.notFound): "not-found"
    case .request(.tooLarge): "too-large"
    case .request(.contentType), .request(.csvContentType): "bad-content-type"
    case .source(.foreignPage): "foreign-page"
    case .request, .source: "bad-request"
    }
  }

  /// For people.
  var description: String {
    switch self {
    case .link(let error): error.description
    case .store(.unavailable): "too few servers are reachable right now; nothing was changed, so please try again in a moment"
    case .store(.busy): "too many requests are waiting; nothing was changed, so please try again in a moment"
    case .store(.outcomeUnknown): "the store did not answer in time"
    case .store(.refused(.access(.userNameEmpty))), .login(.nobody): "this needs a user: show a name and a password"
    case .store(.refused(.access)): "this user may not do this; nothing was changed"
    case .login(.wrong): "the user or the password is wrong"
    case .login(.tooManyWrong): "there were too many wrong passwords for this user; wait half a minute"
    case .login(.busy): "too many passwords are checked right now; nothing was changed, so please try again in a moment"
    case .store(.refused(let error)): "the store refused the request (\(error)); trying again does not help"
    case .outcomeUnknown(let slug):
      "it is unknown whether “\(slug)” was changed: the servers did not answer in time. Look in a moment; repeating it is safe"
    case .noFreeSlug: "no free short name was found; choose one yourself"
    case .source(let fault): fault.description
    case .request(.notFound): "there is nothing at this address"
    case .request(.body): "the body must be a JSON object or a form with “target” and, if wanted, “slug”"
    case .request(.contentType): "the content type must be application/json or application/x-www-form-urlencoded"
    case .request(.csvContentType): "the content type must be text/csv"
    case .request(.parameter(let name)): "the value of “\(name)” is not valid"
    case .request(.tooLarge(let maximum)): "the body is larger than \(maximum) bytes"
    }
  }
}
