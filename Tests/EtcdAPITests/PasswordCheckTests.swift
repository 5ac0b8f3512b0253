import Credentials
import KeyValue
import LocalStore
import Testing

@testable import EtcdAPI

/// Passwords that come with every request.
@Suite struct PasswordCheckTests {
  private func access(_ verifier: [UInt8]) throws -> Access {
    var store = LocalStore()
    for request: AccessRequest in [
      .addUser("alice", verifier: verifier), .addUser("certified", verifier: nil), .addUser("root", verifier: [1]), .addRole("root"),
      .grantRole("root", toUser: "root"), .enable,
    ] {
      _ = try store.perform(.access(request))
    }
    return store.access
  }

  @Test func judges() async throws {
    let check = PasswordCheck()
    let access = try access(try PasswordVerifier.make("secret"))
    #expect(await check.judge("alice", "secret", from: "a", in: access) == .right)
    #expect(await check.judge("alice", "Secret", from: "a", in: access) == .wrong)
    #expect(await check.judge("nobody", "secret", from: "a", in: access) == .wrong)
    #expect(await check.judge("certified", "", from: "a", in: access) == .wrong)
    #expect(await check.judge("alice", String(repeating: "x", count: 1025), from: "a", in: access) == .wrong)
    #expect(await check.judge(AccessName(String(repeating: "x", count: 1025)), "secret", from: "a", in: access) == .wrong)
  }

  /// Somebody else's guesses do not keep out who is known, and a password that was changed is known no more.
  @Test func whoGuessesWaitsAndWhoIsKnownGoesOn() async throws {
    let check = PasswordCheck()
    let before = try access(try PasswordVerifier.make("secret"))
    #expect(await check.judge("alice", "secret", from: "a", in: before) == .right)
    for _ in 0...Logins.free { #expect(await check.judge("alice", "guess", from: "a", in: before) == .wrong) }
    #expect(await check.judge("alice", "guess", from: "a", in: before) == .tooManyWrong)
    #expect(await check.judge("alice", "secret", from: "a", in: before) == .right)
    let after = try access(try PasswordVerifier.make("other"))
    #expect(await check.judge("alice", "secret", from: "a", in: after) == .tooManyWrong)
    #expect(await check.judge("alice", "other", from: "b", in: after) == .right)
  }

  @Test func manyAtOnceAreTold() async throws {
    let check = PasswordCheck()
    let access = try access(try PasswordVerifier.make("secret"))
    let verdicts = await withTaskGroup { group in
      for number in 0..<40 { group.addTask { await check.judge("alice", "x", from: "\(number)", in: access) } }
      return await group.reduce(into: [PasswordCheck.Verdict: Int]()) { $0[$1, default: 0] += 1 }
    }
    #expect(verdicts[.busy] ?? 0 > 0 && verdicts[.wrong] ?? 0 >= LongLooks.maximumWaiting)
    #expect((verdicts[.busy] ?? 0) + (verdicts[.wrong] ?? 0) == 40)
  }
}
