import KeyValue
import Raft
import Replica

/// What clients asked of one cluster and were told, held against each other: no two answers may contradict, whoever gave them.
///
/// Every change has a revision of its own, so revisions order the changes; real time orders the answers: what was answered before a request
/// began, its answer must show. A state that is read is checked whole: each key shows the newest acknowledged value or a later one that
/// somebody asked for, and was changed at least as often as acknowledged, at most as often as asked.
struct Testimony {
  private struct Write {
    let request: RequestID
    let key: String
    let value: String
    /// Told to have had no effect, for ever.
    var isDenied = false
  }

  /// What is known of a revision: acknowledged to its writer, or shown to a reader.
  private struct Change {
    let revision: Revision
    let key: String
    let value: String
    var isAcknowledged: Bool
  }

  private(set) var violations: [String] = []
  private var writes: [Write] = []
  private var changes: [Change] = []
  private var keys: [String] = []
  /// The newest revision that anybody was told of.
  private(set) var known: Revision = 1

  /// How many writes were acknowledged.
  var acknowledgements: Int { changes.count { $0.isAcknowledged } }

  mutating func ask(_ request: RequestID, write key: String, _ value: String) {
    writes.append(Write(request: request, key: key, value: value))
    if !keys.contains(key) { keys.append(key) }
  }

  /// - Parameter floor: `known` when the request began.
  mutating func acknowledge(_ request: RequestID, revision: Revision, floor: Revision) {
    guard let write = writes.first(where: { $0.request == request }) else { return }
    if revision <= floor {
      violations.append(
        "\(write.key)=\(write.value) was acknowledged as revision \(revision), although \(floor) was known when it was asked")
    }
    know(write.key, write.value, at: revision, isAcknowledged: true)
    known = max(known, revision)
  }

  /// Its client was told that nothing was done, and a retry is safe.
  mutating func deny(_ request: RequestID) {
    guard let index = writes.firstIndex(where: { $0.request == request }) else { return }
    writes[index].isDenied = true
  }

  /// A linearizable read was answered with this state.
  mutating func show(_ view: KeyValueView, floor: Revision) {
    if view.revision < floor {
      violations.append("stale read: revision \(view.revision) was shown, although \(floor) was known when it was asked")
    }
    for key in keys { show(key, view) }
    known = max(known, view.revision)
  }

  private mutating func show(_ key: String, _ view: KeyValueView) {
    let acknowledged = changes.filter { $0.key == key && $0.isAcknowledged && $0.revision <= view.revision }
    let newest = acknowledged.map(\.revision).max() ?? 0
    guard let pair = view.get(Array(key.utf8)) else {
      if newest > 0 { violations.append("\(key) is gone at revision \(view.revision), although revision \(newest) wrote it") }
      return
    }
    let value = String(decoding: pair.value, as: UTF8.self)
    if pair.modRevision < newest {
      violations.append("\(key)=\(value) of revision \(pair.modRevision) was shown, although revision \(newest) overwrote it")
    }
    let possible = writes.filter { $0.key == key && !$0.isDenied }
    if !possible.contains(where: { $0.value == value }) {
      violations.append("\(key)=\(value) was shown, which nobody wrote, or whose writer was told that nothing was done")
    }
    if pair.version < Int64(acknowledged.count) || pair.version > Int64(possible.count) {
      violations.append(
        "\(key) was changed \(pair.version) times; asked for \(possible.count) times, acknowledged \(acknowledged.count) times")
    }
    know(key, value, at: pair.modRevision, isAcknowledged: false)
  }

  private mutating func know(_ key: String, _ value: String, at revision: Revision, isAcknowledged: Bool) {
    guard let index = changes.firstIndex(where: { $0.revision == revision }) else {
      return changes.append(Change(revision: revision, key: key, value: value, isAcknowledged: isAcknowledged))
    }
    let other = changes[index]
    if (other.key, other.value) != (key, value) || (other.isAcknowledged && isAcknowledged) {
      violations.append("revision \(revision) is \(other.key)=\(other.value) to one client, \(key)=\(value) to another")
    }
    changes[index].isAcknowledged = other.isAcknowledged || isAcknowledged
  }
}
