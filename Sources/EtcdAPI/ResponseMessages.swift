import KeyValue

// What clients get, as etcd's `rpc.proto` has it: fields in the order of their numbers.

extension JSONWriter {
  /// `ResponseHeader`. A revision of 0 is left out.
  mutating func header(_ status: ServiceStatus, revision: Revision) {
    object("header") { header in
      header.field("cluster_id", status.cluster?.rawValue ?? 0)
      header.field("member_id", status.node.rawValue)
      header.field("revision", revision)
      header.field("raft_term", status.term)
    }
  }

  /// `StatusResponse`, which etcd spells in camel case.
  mutating func status(_ status: ServiceStatus, revision: Revision) {
    object { body in
      body.header(status, revision: revision)
      body.field("version", text: EtcdVersion.server)
      body.field("dbSize", status.databaseSize)
      body.field("leader", status.leader?.rawValue ?? 0)
      body.field("raftIndex", status.commitIndex)
      body.field("raftTerm", status.term)
      body.field("raftAppliedIndex", status.appliedIndex)
      body.field("dbSizeInUse", status.databaseSize)
      guard status.cluster == nil else { return }
      // Not etcd's, whose clients pass it over.
      body.object("forming") { forming in
        forming.field("name", text: status.name)
        forming.array("awaited", status.awaited) { $0.element(text: $1) }
      }
    }
  }

  /// `MemberListResponse`, which etcd spells in camel case.
  mutating func memberList(_ status: ServiceStatus) {
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

extension ResponseBody.Writer {
  /// The body for an answer.
  mutating func answer(_ answer: Answer, _ status: ServiceStatus) {
    object { body in
      body.json.header(status, revision: answer.revision)
      var revision = InnerRevision(of: answer)
      body.fields(of: answer.response, &revision)
    }
  }

  private mutating func fields(of response: Response, _ revision: inout InnerRevision) {
    switch response {
    case .range(let range):
      pairs("kvs", range.pairs)
      json.field("more", range.more)
      json.field("count", range.count)
    case .put(let previous):
      if let previous { json.pair("prev_kv", previous) }
    case .delete(let count, let previous):
      json.field("deleted", count)
      pairs("prev_kvs", previous)
    case .transaction(let succeeded, let responses):
      json.field("succeeded", succeeded)
      guard !responses.isEmpty else { return }
      json.openArray("responses")
      for response in responses { object { $0.operation(response, &revision) } }
      json.closeArray()
    }
  }

  private mutating func operation(_ response: Response, _ revision: inout InnerRevision) {
    let name: StaticString =
      switch response {
      case .range: "response_range"
      case .put: "response_put"
      case .delete: "response_delete_range"
      case .transaction: "response_txn"
      }
    object(name) { body in
      if case .transaction = response {
        // As etcd does: the operations inside have their own.
        body.json.object("header") { _ in }
      } else {
        let number = revision.after(response)
        body.json.object("header") { $0.field("revision", number) }
      }
      body.fields(of: response, &revision)
    }
  }
}

/// The store's revision as a transaction proceeds: the old one until the first change, the new one from there.
private struct InnerRevision {
  private let final: Revision
  private var changed: Bool
  private let isChanging: Bool

  init(of answer: Answer) {
    final = answer.revision
    isChanging = answer.response.isChange
    changed = false
  }

  mutating func after(_ response: Response) -> Revision {
    if response.isChange { changed = true }
    return isChanging && !changed ? final - 1 : final
  }
}
