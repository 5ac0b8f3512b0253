import KeyValue
import NIOCore
import Replica

/// What the store may hold, and for how long it remembers: shows it, and changes what is named. Not etcd's, where flags say it.
final class SettingsConversation: Conversation {
  let isEndless = false

  private let gateway: Gateway
  private let fields: SettingsFields
  private let timeout: Duration
  private var channel: ConversationChannel?

  init(_ gateway: Gateway, _ fields: SettingsFields, timeout: Duration) {
    self.gateway = gateway
    self.fields = fields
    self.timeout = timeout
  }

  func begin(_ channel: ConversationChannel) {
    self.channel = channel
    gateway.service.read(.linearizable, timeout: timeout, completion: channel.later(self) { $0.found($1) })
  }

  private func found(_ result: Result<KeyValueView, StoreError>) {
    guard let channel else { return }
    switch result {
    case .failure(let error): channel.answer(.error(APIError(error)))
    case .success(let view):
      let settings = fields.applied(to: view.settings)
      guard settings != view.settings else { return answer(settings, view.revision) }
      gateway.service.perform(
        .settings(settings), consistency: .linearizable, timeout: timeout,
        completion: channel.later(self) { this, result in
          switch result {
          case .failure(let error): this.channel?.answer(.error(APIError(error)))
          case .success(let served): this.answer(settings, served.answer.revision)
          }
        })
    }
  }

  private func answer(_ settings: StoreSettings, _ revision: Revision) {
    let status = gateway.service.status
    channel?.answer(
      .json { writer in
        writer.object { body in
          body.header(status, revision: revision)
          body.field("quota", settings.quota)
          body.field("history_seconds", settings.historyAge)
          body.field("history_bytes", settings.historyBytes)
        }
      })
  }

  func goOn() {}

  func close() { channel = nil }
}

/// What a request names of the settings.
struct SettingsFields: Hashable, Sendable {
  enum Field: String, MessageField {
    case quota
    case historySeconds = "history_seconds"
    case historyBytes = "history_bytes"

    static let names = FieldNames<Field>()
  }

  var quota: Int64?
  var historySeconds: Int64?
  var historyBytes: Int64?

  func applied(to settings: StoreSettings) -> StoreSettings {
    StoreSettings(
      quota: quota ?? settings.quota, historyAge: historySeconds ?? settings.historyAge,
      historyBytes: historyBytes ?? settings.historyBytes)
  }
}

extension RequestReader {
  mutating func readSettings() throws(APIError) -> SettingsFields {
    var message = try json.openBody(SettingsFields.Field.self)
    var fields = SettingsFields()
    while let field = try json.next(&message) {
      switch field {
      case .quota: fields.quota = try json.readInteger()
      case .historySeconds: fields.historySeconds = try json.readInteger()
      case .historyBytes: fields.historyBytes = try json.readInteger()
      }
    }
    try json.closeBody()
    return fields
  }
}
