import KeyValue
import Replica

/// Keys and values as text: each is the UTF-8 of the string.
extension KeyValueStore {
  /// The pair under a key; `nil` if there is none.
  public func get(
    _ key: String, consistency: Consistency = .linearizable, timeout: Duration = .seconds(5)
  ) async throws(StoreError) -> KeyValuePair? {
    try await get(Array(key.utf8), consistency: consistency, timeout: timeout)
  }

  /// Writes a value; gives the revision that did it, and is the key's `modRevision` from now on.
  @discardableResult
  public func put(_ key: String, _ value: String, timeout: Duration = .seconds(5)) async throws(StoreError) -> Revision {
    try await put(Array(key.utf8), Array(value.utf8), timeout: timeout)
  }

  /// Writes a value that is deleted when the lease ends; gives the revision that did it.
  @discardableResult
  public func put(_ key: String, _ value: String, lease: LeaseID, timeout: Duration = .seconds(5)) async throws(StoreError) -> Revision {
    let request = PutRequest(key: Array(key.utf8), value: Array(value.utf8), lease: lease)
    return try await perform(.put(request), timeout: timeout).revision
  }

  /// Removes one key; whether it was there.
  @discardableResult
  public func delete(_ key: String, timeout: Duration = .seconds(5)) async throws(StoreError) -> Bool {
    try await delete(Array(key.utf8), timeout: timeout)
  }

  /// Writes a value if the key's last change is still the one that the caller saw; 0 if the caller saw none. Gives the revision that did
  /// it, or `nil`: then nothing was changed.
  @discardableResult
  public func compareAndSet(
    _ key: String, expected modRevision: Revision, _ value: String, timeout: Duration = .seconds(5)
  ) async throws(StoreError) -> Revision? {
    try await compareAndSet(Array(key.utf8), expected: modRevision, Array(value.utf8), timeout: timeout)
  }
}

extension KeyRange {
  /// One key, as text.
  public init(_ key: String) { self.init(Array(key.utf8)) }

  /// Every key that begins with this text.
  public init(prefix: String) { self.init(prefix: Array(prefix.utf8)) }
}

extension KeyValuePair {
  /// The key as text; `nil` if it is not UTF-8.
  public var keyText: String? { String(validating: key, as: UTF8.self) }
  /// The value as text; `nil` if it is not UTF-8.
  public var valueText: String? { String(validating: value, as: UTF8.self) }
}
