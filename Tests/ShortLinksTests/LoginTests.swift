import Foundation
import Hummingbird
import KeyValue
import Links
import Testing

@testable import ShortLinks

/// Where the store has users, links are theirs.
@Suite struct LoginTests {
  private static func basic(_ user: String, _ password: String? = nil) -> HTTPFields {
    let text = Data("\(user):\(password ?? user + user)".utf8).base64EncodedString()
    return [.authorization: "Basic \(text)", .contentType: "application/json"]
  }

  /// A store with a link, and then with users: who may change links, who may see them, and who may do neither.
  private func addUsers(_ store: TestStore) async throws {
    let keys = KeyRange(prefix: Key("shortlinks/".utf8))
    var changes: [AccessRequest] = [.addUser("root", verifier: [1]), .addRole("root"), .grantRole("root", toUser: "root")]
    for (user, kind) in [("writer", Permission.Kind.readWrite), ("reader", .read)] {
      let name = AccessName(user)
      changes += [
        .addUser(name, verifier: [1]), .addRole(name), .grantPermission(Permission(kind, keys), toRole: name),
        .grantRole(name, toUser: name),
      ]
    }
    changes += [.addUser("other", verifier: [1]), .enable]
    for change in changes { _ = try await store.perform(.access(change)) }
  }

  /// Without the visits, which are counted all the while.
  private func links(_ store: TestStore) -> [KeyValuePair] { store.pairs.filter { $0.key.starts(with: "shortlinks/links/".utf8) } }

  private func run(_ test: @Sendable (Client, TestStore) async throws -> Void) async throws {
    let harness = Harness()
    try await harness.run { client in
      #expect(try await client.create("docs", "https://one.example/").status == .created)
      try await addUsers(harness.store)
      try await test(client, harness.store)
    }
  }

  private static let body = #"{"target":"https://two.example/"}"#

  /// Of the list of all routes, so that a new one is closed until somebody decides otherwise.
  @Test func everythingButTheLinksThemselvesNeedsAUser() async throws {
    let open: Set<String> = ["/docs", "/_health"]
    let routes = Harness().routes
    #expect(routes.count > 20)
    try await run { client, store in
      let before = links(store)
      for (method, path) in routes {
        for fields: HTTPFields in [
          [.contentType: "application/json"], Self.basic("writer", "wrong"), Self.basic("nobody", "wrong"), [.authorization: "Basic"],
          [.authorization: "Basic !"], [.authorization: "Bearer writer"], [.authorization: "Basic d3JpdGVy"],
        ] {
          let response = try await client.send(method, path, fields, method == .get || method == .head ? nil : Self.body)
          let isClosed = response.status == .unauthorized
          // Of a method that there is not, nothing is to be kept from anybody.
          #expect(isClosed != (open.contains(path) || response.status == .methodNotAllowed), "\(method) \(path) \(response.status)")
          if isClosed { #expect(response.headers[.wwwAuthenticate]?.hasPrefix("Basic realm=") == true) }
        }
      }
      #expect(links(store) == before)
      #expect(try await client.get("/docs").headers[.location] == "https://one.example/")
      #expect(try await client.get("/_health").status == .ok)
    }
  }

  @Test func permissionsDecide() async throws {
    try await run { client, store in
      let (writer, reader, other) = (Self.basic("writer"), Self.basic("reader"), Self.basic("other"))
      let csv: HTTPFields = [.contentType: "text/csv"]
      let before = links(store)
      for user in [reader, other] {
        var importer = csv
        importer[.authorization] = user[.authorization]
        #expect(try await client.send(.post, "/_links", user, Self.body).status == .forbidden)
        #expect(try await client.send(.put, "/_links/docs", user, Self.body).status == .forbidden)
        #expect(try await client.send(.delete, "/_links/docs", user).errorCode == "forbidden")
        #expect(try await client.send(.post, "/_links.csv", importer, "slug,target\na,https://a.example/\n").status == .forbidden)
      }
      #expect(links(store) == before)
      for path in ["/", "/_links", "/_links/docs", "/_links.csv"] {
        #expect(try await client.get(path, reader).status == .ok, "\(path)")
        #expect(try await client.get(path, other).status == .forbidden, "\(path)")
      }
      let made = try await client.send(.post, "/_links", writer, Self.body)
      #expect(made.status == .created)
      #expect(try await client.send(.put, "/_links/docs", writer, Self.body).status == .ok)
      #expect(try await client.get("/docs").headers[.location] == "https://two.example/")
      #expect(try await client.send(.delete, "/_links/docs", writer).status == .noContent)
      #expect(try await client.get("/", Self.basic("root")).status == .ok, "who administers everything")
    }
  }

  /// A node that has not heard of the users yet asks nobody for a name: the store itself says no.
  @Test func aNodeThatLagsBehindLetsNobodyChangeAnything() async throws {
    let harness = Harness()
    try await harness.run { client in
      #expect(try await client.create("docs", "https://one.example/").status == .created)
      harness.store.set(.lagging)
      try await addUsers(harness.store)
      let before = links(harness.store)
      let refused = try await client.create("other", "https://two.example/")
      #expect(refused.status == .unauthorized && refused.headers[.wwwAuthenticate] != nil && refused.errorCode == "login-needed")
      #expect(try await client.send(.delete, "/_links/docs").status == .unauthorized)
      #expect(links(harness.store) == before)
    }
  }

  @Test func guessingEndsAndABrowserGetsAPage() async throws {
    try await run { client, _ in
      let guessed = try await client.get("/_links", Self.basic("guessed"))
      #expect(guessed.status == .tooManyRequests && guessed.headers[.retryAfter] != nil)
      #expect(try await client.get("/_links", Self.basic("crowd")).status == .serviceUnavailable)
      let page = try await client.get("/", [.accept: "text/html"])
      #expect(page.status == .unauthorized && page.text.contains("That did not work") && !page.text.contains("docs"))
      let html: HTTPFields = [
        .accept: "text/html", .contentType: "application/x-www-form-urlencoded",
        .authorization: Self.basic("reader")[.authorization] ?? "",
      ]
      let form = try await client.send(.post, "/_links", html, "target=https%3A%2F%2Fthree.example%2F&slug=x")
      #expect(form.status == .forbidden && form.text.contains("may not do this"))
    }
  }

  @Test func aPasswordMayHoldAnything() {
    let login = LinkLogin(authorization: "basic " + Data("jörg:a:b c".utf8).base64EncodedString(), host: nil)
    #expect(login?.user == "jörg" && login?.password == "a:b c")
    #expect(LinkLogin(authorization: "Basic " + Data([0x61, 0x3a, 0xff]).base64EncodedString(), host: nil) == nil)
    #expect(LinkLogin(authorization: nil, host: nil) == nil)
  }
}
