import KeyValue

/// What the cluster's own software is asked for beside the store, under `/coracle/`: certificates, and the tokens with which servers join.
public protocol ClusterAdministration: Sendable {
  /// Answers once, from any thread, with the text of a JSON object.
  ///
  /// - Parameters:
  ///   - call: what to do.
  ///   - body: a JSON object. Whoever sent it may ask for this, except for `join`, which the token in the body allows.
  func perform(
    _ call: AdministrationCall, body: [UInt8], completion: @escaping @Sendable (Result<[UInt8], AdministrationError>) -> Void)
}

public enum AdministrationCall: String, CaseIterable, Sendable {
  /// A server that has a token wants a certificate, and what else it needs to become a member.
  case join
  case makeToken = "token/create"
  case listTokens = "token/list"
  case revokeToken = "token/revoke"
  /// A client's certificate, for a key of the client's own.
  case clientCertificate = "client-certificate"
  case rotateAuthority = "authority/rotate"
}

/// Why it was not done.
public enum AdministrationError: Error, Hashable, Sendable {
  /// The request makes no sense.
  case malformed(String)
  /// What was shown does not allow it.
  case refused(String)
  /// This node cannot do it now; nothing was done, a retry is safe.
  case unavailable(String)
  /// The store did not write it down, or nobody knows whether it did; its error says which.
  case store(StoreError)
}
