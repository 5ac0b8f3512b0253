import KeyValue
import Raft
import Replica

// What clients get, as etcd's `rpc.proto` has it: fields in the order of their numbers.

extension JSONWriter {
  /// `ResponseHeader`. A revision of 0 is left out.
  mutating func header(_ status: ReplicaStatus, revision: Revision) {
    object("header") { header in
      header.field("cluster_id", status.cluster?.rawValue ?? 0)
      header.field("member_id", status.node.rawValue)
      header.field("revision", revision)
      header.field("raft_term", status.term)
    }
  }

  /// `StatusResponse`, which etcd spells in camel case.
  mutating func status(_ status: ReplicaStatus, _ followers: [FollowerStatus], databaseSize: Int64, _ view: KeyValueView?) {
    object { body in
      body.header(status, revision: view?.revision ?? 0)
      body.field("version", text: EtcdVersion.server)
      body.field("dbSize", databaseSize)
      body.field("leader", status.leader?.rawValue ?? 0)
      body.field("raftIndex", status.commitIndex)
      body.field("raftTerm", status.term)
      body.field("raftAppliedIndex", status.appliedIndex)
      if view?.isOutOfSpace == true { body.array("errors", ["alarm:NOSPACE "]) { $0.element(text: $1) } }
      body.field("dbSizeInUse", view.map { Int64($0.size) }.flatMap { $0 > 0 ? $0 : nil } ?? databaseSize)
      // What follows is not etcd's, whose clients pass it over.
      if !followers.isEmpty {
        body.array("followers", followers) { writer, follower in writer.object { $0.fields(of: follower) } }
      }
      guard status.cluster == nil else { return }
      body.object("forming") { forming in
        forming.field("name", text: status.name)
        forming.array("awaited", status.awaited) { $0.element(text: $1) }
      }
    }
  }

  /// `MemberListResponse`, which etcd spells in camel case; with the member that was added, `MemberAddResponse`.
  ///
  /// - Parameter isEncrypted: the cluster has an authority; then what others can reach speaks TLS.
  mutating func memberList(_ status: ReplicaStatus, changed: Member? = nil, isEncrypted: Bool) {
    object { body in
      body.header(status, revision: 0)
      if let changed { body.object("member") { $0.fields(of: changed, status, isEncrypted) } }
      body.array("members", status.members) { writer, member in writer.object { $0.fields(of: member, status, isEncrypted) } }
    }
  }

  private mutating func fields(of follower: FollowerStatus) {
    field("ID", follower.node.rawValue)
    field("lagEntries", follower.lagEntries)
    field("lagMilliseconds", follower.lag / .milliseconds(1))
    field("contactMilliseconds", follower.timeSinceContact / .milliseconds(1))
    field("receivesSnapshot", follower.receivesSnapshot)
  }

  private mutating func fields(of member: Member, _ status: ReplicaStatus, _ isEncrypted: Bool) {
    field("ID", member.id.rawValue)
    field("name", text: member.name)
    array("peerURLs", [member.peerAddress]) { $0.element(text: "\(isEncrypted ? "https" : "http")://\($1)") }
    let isLocal = ["127.", "localhost:", "[::1]:"].contains { member.clientAddress.hasPrefix($0) }
    array("clientURLs", member.clientAddress.isEmpty ? [] : [member.clientAddress]) {
      $0.element(text: "\(isEncrypted && !isLocal ? "https" : "http")://\($1)")
    }
    if status.configuration?.learners.contains(where: { $0.member.id == member.id }) == true { field("isLearner", true) }
  }
}

/// The release of etcd whose interface is served: clients ask for it and gate their features on it.
public enum EtcdVersion {
  public static let server = "3.5.0"
  public static let cluster = "3.5.0"
}
