/// What a configuration becomes. One voter more or less takes one step, since any quorum before shares a voter with any after; everything
/// else goes by way of a joint configuration (Raft paper, section 6).
extension Configuration {
  func adding(_ learner: Learner) throws(OperatorError) -> Configuration {
    let member = learner.member
    guard !isMember(member.id) else { throw .alreadyMember(member.id) }
    guard !removed.contains(member.id) else { throw .formerMember(member.id) }
    guard !members.contains(where: { $0.name == member.name }) else { throw .nameTaken(member.name) }
    guard [member.name, member.peerAddress, member.clientAddress].allSatisfy({ $0.utf8.count <= Member.maximumTextSize }) else {
      throw .textTooLong(Member.maximumTextSize)
    }
    guard members.count < Self.maximumMembers else { throw .tooManyMembers(Self.maximumMembers) }
    if case .replacing(let old) = learner.promotion {
      guard isMember(old) else { throw .unknownMember(old) }
      guard voterIDs.contains(old) else { throw .notAVoter(old) }
    }
    return Configuration(voters: voters, outgoing: outgoing, learners: learners + [learner], removed: removed)
  }

  func removing(_ id: NodeID) throws(OperatorError) -> Configuration {
    guard isMember(id) else { throw .unknownMember(id) }
    guard voterIDs.contains(id) else {
      return Configuration(
        voters: voters, outgoing: outgoing, learners: learners.filter { $0.member.id != id }, removed: removed + [id])
    }
    guard voters.count > 1 else { throw .lastVoter(id) }
    return replacingVoters(by: voters.filter { $0.id != id }, learners: learners)
  }

  /// The learner becomes a voter; whom it was to replace leaves, if that is still a voter.
  func promoting(_ id: NodeID) throws(OperatorError) -> Configuration {
    guard isMember(id) else { throw .unknownMember(id) }
    guard let learner = learners.first(where: { $0.member.id == id }) else { throw .alreadyMember(id) }
    var old: NodeID?
    if case .replacing(let replaced) = learner.promotion { old = replaced }
    return replacingVoters(by: voters.filter { $0.id != old } + [learner.member], learners: learners.filter { $0.member.id != id })
  }

  /// The same members, one of them at other addresses.
  func updating(_ id: NodeID, peerAddress: String, clientAddress: String) throws(OperatorError) -> Configuration {
    guard isMember(id) else { throw .unknownMember(id) }
    guard [peerAddress, clientAddress].allSatisfy({ $0.utf8.count <= Member.maximumTextSize }) else {
      throw .textTooLong(Member.maximumTextSize)
    }
    func updated(_ member: Member) -> Member {
      guard member.id == id else { return member }
      return Member(id: id, name: member.name, peerAddress: peerAddress, clientAddress: clientAddress)
    }
    return Configuration(
      voters: voters.map(updated), outgoing: outgoing.map(updated), learners: learners.map { Learner(updated($0.member), $0.promotion) },
      removed: removed)
  }

  private func replacingVoters(by new: [Member], learners: [Learner]) -> Configuration {
    let ids = new.map(\.id)
    let gone = voterIDs.filter { !ids.contains($0) }
    let added = ids.filter { !voterIDs.contains($0) }
    guard gone.count + added.count > 1 else { return Configuration(voters: new, learners: learners, removed: removed + gone) }
    return Configuration(voters: new, outgoing: voters, learners: learners, removed: removed)
  }

  /// What follows a joint configuration: whoever is only in its old part is gone.
  var afterJoint: Configuration {
    Configuration(voters: voters, learners: learners, removed: removed + outgoingIDs.filter { !voterIDs.contains($0) })
  }
}
