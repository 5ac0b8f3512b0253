import Coracle
import KeyValue

/// The cluster's own records in the replicated state, as the node's software reads and changes them.
struct SharedRecords: Sendable {
  let store: KeyValueStore

  /// As of now; waits for a leader.
  func read(_ name: String) async throws -> [UInt8]? {
    try await store.node.read().view.records.value(of: name)
  }

  /// As far as this node has come.
  func readLocally(_ name: String) async throws -> [UInt8]? {
    try await store.node.read(.serializable).view.records.value(of: name)
  }

  /// All whose names begin so, in order.
  func list(_ prefix: String) async throws -> [(name: String, value: [UInt8])] {
    try await store.node.read().view.records.all(withPrefix: prefix)
  }

  /// Replaces a record if it is as expected; whether it was. `nil` stands for none.
  func replace(_ name: String, _ expected: [UInt8]?, with value: [UInt8]?) async throws -> Bool {
    do throws(StoreError) {
      _ = try await store.perform(.record(RecordChange(name: name, expected: expected, value: value)))
      return true
    } catch .keyValue(.recordChanged) {
      return false
    }
  }
}
