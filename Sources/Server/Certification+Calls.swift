import Coracle
import Credentials
import EtcdAPI
import Foundation
import KeyValue
import X509

/// The calls under `/coracle/`, answered by this node.
struct CertificationCalls: ClusterAdministration {
  let certification: Certification
  let records: any RecordStore
  /// Where clients reach this node.
  let address: String
  let refusals: RefusalReport

  func perform(
    _ call: AdministrationCall, body: [UInt8], completion: @escaping @Sendable (Result<[UInt8], AdministrationError>) -> Void
  ) {
    Task { completion(await answer(call, body)) }
  }

  private func answer(_ call: AdministrationCall, _ body: [UInt8]) async -> Result<[UInt8], AdministrationError> {
    do {
      switch call {
      case .join: return .success(try encode(try await join(try decode(body))))
      case .makeToken: return .success(try encode(try await makeToken(try decode(body))))
      case .listTokens: return .success(try encode(try await listTokens()))
      case .revokeToken:
        let number = (try decode(body) as TokenNumber).number
        guard let bytes = [UInt8](hexadecimal: number) else { throw AdministrationError.malformed("a token's number has 16 digits") }
        return .success(try encode(try await revoke(bytes)))
      case .clientCertificate: return .success(try encode(try await clientCertificate(try decode(body))))
      case .rotateAuthority: return .success(try encode(try await rotate(try decode(body))))
      }
    } catch let error as AdministrationError {
      return .failure(error)
    } catch let error as TokenRefusal {
      refusals.say(["reason": "\(error)"])
      return .failure(.refused("\(error)"))
    } catch let error as StoreError {
      return .failure(.store(error))
    } catch {
      return .failure(.unavailable("\(error)"))
    }
  }

  private func decode<Body: Decodable>(_ body: [UInt8]) throws -> Body {
    do {
      return try JSONDecoder().decode(Body.self, from: Data(body.isEmpty ? Array("{}".utf8) : body))
    } catch {
      throw AdministrationError.malformed("the body is not what this call takes")
    }
  }

  private func encode(_ answer: some Encodable) throws -> [UInt8] { Array(try JSONEncoder().encode(answer)) }

  // MARK: Servers that join

  struct JoinRequest: Codable, Sendable {
    var number: String
    var secret: Data
    /// The identity of the server's data directory, in hexadecimal digits.
    var node: String
    /// A certificate signing request, PEM.
    var request: String
    /// Host names and addresses at which the server is reached.
    var names: [String]
  }

  struct JoinAnswer: Codable, Sendable {
    /// PEM, its own certificate first.
    var certificates: String
    var authorities: AuthorityRecord
    var wrappingKey: Data
  }

  static let mostNames = 16

  private func join(_ request: JoinRequest) async throws -> JoinAnswer {
    guard let number = [UInt8](hexadecimal: request.number), number.count == JoinToken.numberSize,
      request.secret.count == JoinToken.secretSize, request.node.utf8.count <= 16, let node = UInt64(request.node, radix: 16), node != 0,
      request.names.count <= Self.mostNames,
      request.names.allSatisfy({ (1...253).contains($0.utf8.count) && $0.utf8.allSatisfy { (0x21...0x7e).contains($0) } })
    else { throw AdministrationError.malformed("the request to join is malformed") }
    let key: Certificate.PublicKey
    do {
      key = try KeyPair.publicKey(ofRequest: request.request)
    } catch {
      throw AdministrationError.malformed("the certificate signing request cannot be used: it needs a key on P-256, and its signature")
    }
    try await admit(.init(node: request.node, key: try KeyPair.digest(of: key).hexadecimal), number, Array(request.secret))
    let (current, now) = (certification.current, certification.settings.now())
    let authority = try current.authorities.newest(current.wrappingKey)
    let identity = CertifiedIdentity.node(domain: authority.domain, node)
    let certificate = try authority.issue(
      identity, for: key, names: request.names, now: now, life: certification.settings.nodeLife)
    try await certification.record(certificate, of: identity, records)
    certification.logger.notice("gave a certificate to a server that joins", metadata: ["id": "\(request.node)"])
    return JoinAnswer(
      certificates: try CertificateText.encode([certificate] + (try current.authorities.chain(at: now))), authorities: current.authorities,
      wrappingKey: Data(current.wrappingKey.bytes))
  }

  private func admit(_ admission: TokenRecord.Admission, _ number: [UInt8], _ secret: [UInt8]) async throws {
    for _ in 0..<5 {
      guard let bytes = try await records.read(TokenRecord.name(number)) else { throw TokenRefusal.unknown }
      var token = try TokenRecord(decoding: bytes)
      guard try token.admit(admission, digest: JoinToken.digest(of: secret), now: certification.settings.now()) else { return }
      if try await records.replace(TokenRecord.name(number), bytes, with: try token.encoded()) { return }
    }
    throw AdministrationError.unavailable("several servers use this token at once; try again")
  }

  // MARK: Tokens

  struct TokenRequest: Codable, Sendable {
    /// 1 if it is not said.
    var uses: Int?
    /// Two hours if it is not said.
    var seconds: Double?
  }

  struct TokenAnswer: Codable, Sendable {
    var token: String
    var expires: Int64
  }

  struct TokenNumber: Codable, Sendable { var number: String }

  struct TokenList: Codable, Sendable {
    struct Token: Codable, Sendable {
      var number: String
      var expires: Int64
      var uses: Int
    }

    var tokens: [Token]
  }

  struct Nothing: Codable, Sendable {}

  static let usualTokenLife: TimeInterval = 2 * 3600

  func makeToken(_ request: TokenRequest) async throws -> TokenAnswer {
    let (uses, life) = (request.uses ?? 1, request.seconds ?? Self.usualTokenLife)
    guard (1...TokenRecord.mostUses).contains(uses), (1...TokenRecord.longestLife).contains(life) else {
      throw AdministrationError.malformed("a token lets in 1 to \(TokenRecord.mostUses) servers, for a second to 30 days")
    }
    let now = certification.settings.now()
    let hasRoom = try await records.makeRoom(TokenRecord.prefix, most: TokenRecord.most, at: now) {
      (try? TokenRecord(decoding: $0))?.expires ?? 0
    }
    guard hasRoom else {
      throw AdministrationError.refused(
        "there are \(TokenRecord.most) tokens, and too few of them ended a day ago or longer: revoke some (`coracle token list`)")
    }
    guard let authority = try certification.current.authorities.certificates().first else {
      throw AdministrationError.unavailable("there is no authority yet")
    }
    let token = JoinToken(pin: try Authority.pin(of: authority), address: address)
    let record = TokenRecord(token, uses: uses, life: life, now: now)
    guard try await records.replace(TokenRecord.name(token.number), nil, with: try record.encoded()) else {
      throw AdministrationError.unavailable("try again")
    }
    return TokenAnswer(token: token.text, expires: record.expires)
  }

  private func listTokens() async throws -> TokenList {
    TokenList(
      tokens: try await records.list(TokenRecord.prefix).compactMap { name, bytes in
        guard let record = try? TokenRecord(decoding: bytes) else { return nil }
        let number = String(name.dropFirst(TokenRecord.prefix.count))
        return TokenList.Token(number: number, expires: record.expires, uses: record.uses)
      })
  }

  private func revoke(_ number: [UInt8]) async throws -> Nothing {
    for _ in 0..<5 {
      guard let bytes = try await records.read(TokenRecord.name(number)) else {
        throw AdministrationError.refused("there is no such token")
      }
      if try await records.replace(TokenRecord.name(number), bytes, with: nil) { return Nothing() }
    }
    throw AdministrationError.unavailable("the token is being used; try again")
  }

  // MARK: Clients

  struct ClientRequest: Codable, Sendable {
    var name: String
    /// A certificate signing request, PEM.
    var request: String
    /// 90 days if it is not said.
    var seconds: Double?
  }

  struct ClientAnswer: Codable, Sendable {
    var certificates: String
    var authorities: String
  }

  static let usualClientLife: TimeInterval = 90 * 86400
  static let longestClientLife: TimeInterval = 10 * 365 * 86400

  private func clientCertificate(_ request: ClientRequest) async throws -> ClientAnswer {
    let life = request.seconds ?? Self.usualClientLife
    guard CertifiedIdentity.isValid(name: request.name), (1...Self.longestClientLife).contains(life) else {
      throw AdministrationError.malformed("a name has 1 to 128 bytes of printable characters; a certificate lives a second to ten years")
    }
    let key: Certificate.PublicKey
    do {
      key = try KeyPair.publicKey(ofRequest: request.request)
    } catch {
      throw AdministrationError.malformed("the certificate signing request cannot be used: it needs a key on P-256, and its signature")
    }
    let (current, now) = (certification.current, certification.settings.now())
    let authority = try current.authorities.newest(current.wrappingKey)
    let identity = CertifiedIdentity.client(domain: authority.domain, request.name)
    let certificate = try authority.issue(identity, for: key, now: now, life: life)
    try await certification.record(certificate, of: identity, records)
    return ClientAnswer(
      certificates: try CertificateText.encode([certificate] + (try current.authorities.chain(at: now))),
      authorities: try CertificateText.encode(try current.authorities.anchors(at: now).authorities))
  }

  // MARK: The authority itself

  struct RotationRequest: Codable, Sendable {
    /// How long the old authority still counts; as long as a node's certificate if it is not said.
    var overlap: Double?
    /// Also if the one before the old authority still counts, which it does no more then.
    var force: Bool?
  }

  struct RotationAnswer: Codable, Sendable {
    /// When the old authority counts no more.
    var retires: Int64
  }

  static let shortestOverlap = 10.0

  private func rotate(_ request: RotationRequest) async throws -> RotationAnswer {
    let overlap = request.overlap ?? certification.settings.nodeLife
    guard (Self.shortestOverlap...TokenRecord.longestLife).contains(overlap) else {
      throw AdministrationError.malformed("the two authorities overlap for ten seconds to 30 days")
    }
    for _ in 0..<5 {
      guard let bytes = try await records.read(AuthorityRecord.name) else {
        throw AdministrationError.unavailable("the cluster has not written its authority down yet; try again")
      }
      let record = try AuthorityRecord(decoding: bytes)
      let now = certification.settings.now()
      if let end = record.overlapEnd(at: now), request.force != true {
        throw AdministrationError.refused(
          "the authority was replaced before, and the one before it counts until \(end.formatted(.iso8601)) (it is "
            + "\(now.formatted(.iso8601)) by this server's clock): replace it again then. With --force it is replaced now, and who trusts "
            + "only the oldest of the three is cut off at once")
      }
      let next = try Authority(domain: try record.trustDomain())
      let rotated = try record.succeeded(by: next, certification.current.wrappingKey, overlap: Int64(overlap), now: now)
      if try await records.replace(AuthorityRecord.name, bytes, with: try rotated.encoded()) {
        return RotationAnswer(retires: rotated.entries.last?.retires ?? 0)
      }
    }
    throw AdministrationError.unavailable("the authority is being changed by another; try again")
  }
}
