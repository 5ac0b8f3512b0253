import Credentials
import KeyValue
import NIOCore
import Replica

/// What needs the slow hash of a password: it is made beside the event loops, and answered after.
final class PasswordConversation: Conversation {
  enum Purpose: Sendable { case addUser, changePassword, logIn }

  let isEndless = false

  private let gateway: Gateway
  private let purpose: Purpose
  private let fields: AccessFields
  private let host: String
  private let timeout: Duration
  private var channel: ConversationChannel?

  /// Throws for a password that is too long.
  init(_ gateway: Gateway, _ purpose: Purpose, _ fields: AccessFields, from host: String, timeout: Duration) throws(APIError) {
    guard fields.password.utf8.count <= PasswordVerifier.maximumPasswordSize else {
      throw APIError(.invalidArgument, "coracle: a password has at most \(PasswordVerifier.maximumPasswordSize) bytes")
    }
    // Names of wrong logins are remembered.
    guard fields.name.bytes.count <= Limits.accessNameBytes else { throw APIError(KeyValueError.access(.nameTooLong)) }
    guard purpose == .logIn || !fields.password.isEmpty else {
      throw APIError(.invalidArgument, "coracle: the password is empty; a user without one is added with no_password")
    }
    self.gateway = gateway
    self.purpose = purpose
    self.fields = fields
    self.host = host
    self.timeout = timeout
  }

  func begin(_ channel: ConversationChannel) {
    self.channel = channel
    guard purpose == .logIn else { return make() }
    gateway.service.read(.linearizable, timeout: timeout, completion: channel.later(self) { $0.judge($1) })
  }

  func goOn() {}

  func close() { channel = nil }

  // MARK: A password that is set

  private func make() {
    let password = fields.password
    hash({ try? PasswordVerifier.make(password) }) { this, verifier in
      guard let verifier else { return this.fail(APIError(.internalError, "coracle: the password cannot be hashed")) }
      let name = this.fields.name
      let request: AccessRequest =
        this.purpose == .addUser ? .addUser(name, verifier: verifier) : .changePassword(name, verifier: verifier)
      this.perform(.access(request)) { this, revision in this.answer(revision) { _ in } }
    }
  }

  // MARK: A login

  private func judge(_ result: Result<KeyValueView, StoreError>) {
    switch result {
    case .failure(let error): fail(APIError(error))
    case .success(let view):
      guard view.access.isEnabled else { return fail(APIError(KeyValueError.access(.notEnabled))) }
      let guesser = Logins.Guesser(user: fields.name, host: host)
      guard gateway.logins.mayTry(guesser, now: .now()) else {
        return fail(APIError(.resourceExhausted, "coracle: too many wrong passwords for this user from this address; wait a few seconds"))
      }
      let (user, password) = (view.access.user(fields.name), fields.password)
      hash({ PasswordVerifier.matches(password, user?.verifier) }) { this, isRight in
        guard isRight, let user else {
          this.gateway.logins.wasWrong(guesser, now: .now())
          return this.fail(APIError(KeyValueError.access(.authenticationFailed)))
        }
        this.logIn(passwordRevision: user.passwordRevision)
      }
    }
  }

  private func logIn(passwordRevision: Int64) {
    let token = SessionToken.random()
    let grant = TokenGrant(
      user: fields.name, digest: SessionToken.digest(of: token), issuedAt: WallClock.secondsSince1970, passwordRevision: passwordRevision)
    perform(.access(.issueToken(grant))) { this, revision in
      this.answer(revision) { $0.field("token", text: token) }
    }
  }

  // MARK: Steps

  private func hash<Result: Sendable>(
    _ work: @escaping @Sendable () -> Result, _ next: @escaping @Sendable (PasswordConversation, Result) -> Void
  ) {
    guard let channel else { return }
    let later = channel.later(self, next)
    if !gateway.logins.hashing.submit(for: host, { later(work()) }) { fail(.busyAnswering) }
  }

  private func perform(_ request: Request, _ next: @escaping @Sendable (PasswordConversation, Revision) -> Void) {
    guard let channel else { return }
    gateway.service.perform(
      request, consistency: .linearizable, timeout: timeout,
      completion: channel.later(self) { this, result in
        switch result {
        case .success(let served): next(this, served.answer.revision)
        case .failure(let error): this.fail(APIError(error))
        }
      })
  }

  private func answer(_ revision: Revision, _ fields: (inout JSONWriter) -> Void) {
    let status = gateway.service.status
    channel?.answer(
      .json { writer in
        writer.object { body in
          body.header(status, revision: revision)
          fields(&body)
        }
      })
  }

  private func fail(_ error: APIError) { channel?.answer(.error(error)) }
}
