import NIOHTTP1
import Replica
import RequestChecks

extension HTTPRequestHead {
  var source: RequestSource {
    let authority = RequestTarget(uri)?.authority
    return RequestSource(
      method: method.rawValue, needsHost: version != .http1_0, hosts: authority.map { [$0] } ?? headers["Host"], origins: headers["Origin"],
      fetchSite: headers.first(name: "Sec-Fetch-Site"))
  }
}

extension GatewayResponse {
  /// Nothing was done: there are too many bodies on their way for the memory there is.
  static var busy: GatewayResponse {
    var response = error(APIError(RequestError(.busy, outcome: .notDone)))
    response.status = 503
    return response
  }

  static var bodyTooLarge: GatewayResponse {
    var response = error(.tooLarge)
    response.status = 413
    return response
  }

  var headers: HTTPHeaders {
    var headers = HTTPHeaders()
    switch content {
    case .json: headers.add(name: "Content-Type", value: "application/json")
    case .text:
      headers.add(name: "Content-Type", value: "text/plain; charset=utf-8")
      headers.add(name: "X-Content-Type-Options", value: "nosniff")
    }
    if let allow { headers.add(name: "Allow", value: allow) }
    if let staleness { headers.add(name: "Coracle-Staleness-Milliseconds", value: String(Int64(staleness / .milliseconds(1)))) }
    return headers
  }
}
