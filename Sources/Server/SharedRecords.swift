import Coracle
import KeyValue
import Replica

/// The cluster's own records in the replicated state, as the node's software reads and changes them.
protocol RecordStore: Sendable {
  /// As of now; waits for a leader.
  func read(_ name: String) async throws(StoreError) -> [UInt8]?
  /// As far as this node has come.
  func readLocally(_ name: String) async throws(StoreError) -> [UInt8]?
  /// All whose names begin so, in order.
  func list(_ prefix: String) async throws(StoreError) -> [(name: String, value: [UInt8])]
  /// Replaces a record if it is as expected; whether it was. `nil` stands for none.
  func replace(_ name: String, _ expected: [UInt8]?, with value: [UInt8]?) async throws(StoreError) -> Bool
}

/// Those of a node.
struct SharedRecords: RecordStore {
  let store: KeyValueStore

  func read(_ name: String) async throws(StoreError) -> [UInt8]? { try await view(.linearizable).records.value(of: name) }

  func readLocally(_ name: String) async throws(StoreError) -> [UInt8]? { try await view(.serializable).records.value(of: name) }

  func list(_ prefix: String) async throws(StoreError) -> [(name: String, value: [UInt8])] {
    try await view(.linearizable).records.all(withPrefix: prefix)
  }

  private func view(_ consistency: Consistency) async throws(StoreError) -> KeyValueView {
    do throws(RequestError) {
      return try await store.node.read(consistency).view
    } catch {
      throw .request(error)
    }
  }

  func replace(_ name: String, _ expected: [UInt8]?, with value: [UInt8]?) async throws(StoreError) -> Bool {
    do throws(StoreError) {
      _ = try await store.perform(.record(RecordChange(name: name, expected: expected, value: value)))
      return true
    } catch .keyValue(.recordChanged) {
      return false
    }
  }
}
