import KeyValue

/// What operators ask: how a node is, and what etcd makes them do by hand.
extension Gateway {
  func maintain(_ call: Route.Call, _ body: inout RequestReader, _ timeout: Duration) throws(APIError) -> Step {
    switch call {
    case .status:
      try body.readNothing()
      return .look(Look(consistency: .serializable, timeout: timeout) { $0.status($1) })
    case .defragment:
      // Memory and disk come back by themselves.
      try body.readNothing()
      return .answer(.json { $0.object { _ in } })
    case .hash:
      try body.readNothing()
      return .look(Look(consistency: .serializable, timeout: timeout, isLong: true) { $0.hash($1) })
    case .settings: return .converse(SettingsConversation(self, try body.readSettings(), timeout: timeout))
    default:
      let (action, kind) = try body.readAlarm()
      guard action != .activate else {
        throw APIError(.unimplemented, "coracle: the store raises its alarm itself, and clears it when there is room again")
      }
      return .look(
        Look(consistency: .linearizable, timeout: timeout) { $0.alarms($1, shows: action == .get && kind != .corrupt) })
    }
  }

  private func status(_ result: Result<KeyValueView, StoreError>) -> GatewayResponse {
    // Even a node that can answer no request tells its status, without the revision.
    let view = try? result.get()
    return .json { $0.status(service.status, service.followers, databaseSize: service.databaseSize, view) }
  }

  private func hash(_ result: Result<KeyValueView, StoreError>) -> GatewayResponse {
    switch result {
    case .failure(let error): return .error(APIError(error))
    case .success(let view):
      let digest = view.digest
      return .json { writer in
        writer.object { body in
          body.header(service.status, revision: view.revision)
          body.field("hash", unquoted: UInt32(truncatingIfNeeded: digest ^ digest >> 32))
        }
      }
    }
  }

  private func alarms(_ result: Result<KeyValueView, StoreError>, shows: Bool) -> GatewayResponse {
    switch result {
    case .failure(let error): return .error(APIError(error))
    case .success(let view):
      return .json { writer in
        writer.object { body in
          body.header(service.status, revision: view.revision)
          guard shows, view.isOutOfSpace else { return }
          body.array("alarms", [service.status.node]) { writer, node in
            writer.object { alarm in
              alarm.field("memberID", node.rawValue)
              alarm.field("alarm", text: "NOSPACE")
            }
          }
        }
      }
    }
  }
}
