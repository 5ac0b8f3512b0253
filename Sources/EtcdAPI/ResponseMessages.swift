import KeyValue
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
  mutating func status(_ status: ReplicaStatus, databaseSize: Int64, revision: Revision) {
    object { body in
      body.header(status, revision: revision)
      body.field("version", text: EtcdVersion.server)
      body.field("dbSize", databaseSize)
      body.field("leader", status.leader?.rawValue ?? 0)
      body.field("raftIndex", status.commitIndex)
      body.field("raftTerm", status.term)
      body.field("raftAppliedIndex", status.appliedIndex)
      body.field("dbSizeInUse", databaseSize)
      guard status.cluster == nil else { return }
      // Not etcd's, whose clients pass it over.
      body.object("forming") { forming in
        forming.field("name", text: status.name)
        forming.array("awaited", status.awaited) { $0.element(text: $1) }
      }
    }
  }

  /// `MemberListResponse`, which etcd spells in camel case.
  mutating func memberList(_ status: ReplicaStatus) {
    object { body in
      body.header(status, revision: 0)
      body.array("members", status.members) { writer, member in
        writer.object { writer in
          writer.field("ID", member.id.rawValue)
          writer.field("name", text: member.name)
          writer.array("peerURLs", [member.peerAddress]) { $0.element(text: "http://\($1)") }
          writer.array("clientURLs", [member.clientAddress]) { $0.element(text: "http://\($1)") }
        }
      }
    }
  }
}

/// The release of etcd whose interface is served: clients ask for it and gate their features on it.
public enum EtcdVersion {
  public static let server = "3.5.0"
  public static let cluster = "3.5.0"
}
