import KeyValue

/// Locks and elections: etcd's recipes over keys below a name.
extension Gateway {
  func elect(_ call: Route.Call, _ fields: ClaimFields, _ timeout: Duration, isLimited: Bool) throws(APIError) -> Step {
    switch call {
    case .lock: return .converse(CandidacyConversation(self, .lock, fields, timeout: isLimited ? timeout : nil))
    case .campaign: return .converse(CandidacyConversation(self, .campaign, fields, timeout: isLimited ? timeout : nil))
    case .observe: return .converse(ObserveConversation(self, fields.name))
    case .leader: return .perform(Task(.range(Candidacy.holder(of: fields.name)), .linearizable, timeout, purpose: .leader))
    case .unlock:
      guard !fields.key.isEmpty else { throw Self.ofRecipe(APIError(KeyValueError.emptyKey)) }
      return .perform(Task(.delete(DeleteRequest(range: KeyRange(fields.key))), .linearizable, timeout, purpose: .acknowledge))
    case .proclaim:
      let fence = try Self.fence(of: fields)
      let put = Request.put(PutRequest(key: fence.key, value: fields.value, lease: fence.lease))
      return .perform(Task(.transaction(TransactionRequest(underFence: fence, [put])), .linearizable, timeout, purpose: .proclaim))
    default:
      let fence = try Self.fence(of: fields)
      let delete = Request.delete(DeleteRequest(range: KeyRange(fence.key)))
      return .perform(Task(.transaction(TransactionRequest(underFence: fence, [delete])), .linearizable, timeout, purpose: .acknowledge))
    }
  }

  private static func fence(of fields: ClaimFields) throws(APIError) -> Fence {
    guard let fence = fields.leader else { throw APIError(.unknown, "\"leader\" field must be provided") }
    guard !fence.key.isEmpty else { throw ofRecipe(APIError(KeyValueError.emptyKey)) }
    return fence
  }
}
