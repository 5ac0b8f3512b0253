import ByteCoding
import KeyValue
import Raft
import Replica

/// Judges what clients were told, in O(n): it sees each command when the first node commits it, applies it to a store of its own, and holds
/// every answer against that.
///
/// Revisions order the changes; real time orders the answers: what was answered before an operation began, the operation must see.
struct Oracle {
  /// What a client asked for, and when.
  enum Operation {
    case change
    case read(Key)
  }

  private struct Asked {
    let operation: Operation
    /// The newest revision that anybody had been told of when it was asked.
    let floor: Revision
  }

  private(set) var violations: [String] = []
  private var store = KeyValueMachine()
  private var asked: [RequestID: Asked] = [:]
  /// What each committed command does.
  private var outputs: [RequestID: KeyValueMachine.Output] = [:]
  /// Each key's pair after each revision that changed it.
  private var history: [Key: [(revision: Revision, pair: KeyValuePair?)]] = [:]
  /// Requests whose client was told that nothing was done.
  private var denied: [RequestID: RequestError] = [:]
  private var known: Revision = 1
  private(set) var commits = 0

  var view: KeyValueView { store.view }

  mutating func fail(_ violation: String) { violations.append(violation) }

  mutating func ask(_ id: RequestID, _ operation: Operation) { asked[id] = Asked(operation: operation, floor: known) }

  /// An entry that no node had committed before.
  mutating func commit(_ entry: Entry) {
    guard entry.kind == .command, let proposal = try? Proposal(decoding: entry.payload) else { return }
    commits += 1
    let id = proposal.request
    if outputs[id] != nil { violations.append("exactly once: request \(id) was committed twice, again at index \(entry.index)") }
    if let error = denied[id] { violations.append("request \(id) was committed at index \(entry.index) after: \(error)") }
    let output = store.apply([Command(index: entry.index, term: entry.term, payload: proposal.command)])[0]
    outputs[id] = output
    if let request = try? Request(decoding: proposal.command), case .put(let put) = request, case .success(let answer) = output {
      history[put.key, default: []].append((answer.revision, store.view.get(put.key)))
    } else if let request = try? Request(decoding: proposal.command), case .delete(let delete) = request, case .success(let answer) = output
    {
      history[delete.range.start, default: []].append((answer.revision, nil))
    } else if case .success(let answer) = output {
      recordTransaction(proposal.command, answer)
    }
  }

  private mutating func recordTransaction(_ command: Bytes, _ answer: Answer) {
    guard case .transaction(let transaction)? = try? Request(decoding: command) else { return }
    for case .put(let put) in transaction.success + transaction.failure {
      history[put.key, default: []].append((answer.revision, store.view.get(put.key)))
    }
  }

  mutating func answer(_ id: RequestID, _ outcome: SimulatedCluster<KeyValueMachine>.Outcome) {
    guard let asked = asked.removeValue(forKey: id) else { return }
    switch outcome {
    case .applied(let output):
      guard let expected = outputs[id] else { return violations.append("durability: request \(id) was answered before it was committed") }
      if expected != output { violations.append("request \(id) was answered \(output), the log says \(expected)") }
      if case .success(let answer) = output { known = max(known, answer.revision) }
    case .view(let view, _, staleness: nil):
      if view.revision < asked.floor {
        violations.append("stale read: request \(id) saw revision \(view.revision), \(asked.floor) had been answered before it began")
      }
      checkRead(id, asked.operation, view)
      known = max(known, view.revision)
    case .view(let view, _, staleness: _?): checkRead(id, asked.operation, view)
    case .failed(let error) where error.outcome == .notDone:
      denied[id] = error
      if outputs[id] != nil { violations.append("request \(id) was committed, and its client told: \(error)") }
    case .failed: break
    }
  }

  /// What a view shows of a key is what the log made of it by that revision.
  private mutating func checkRead(_ id: RequestID, _ operation: Operation, _ view: KeyValueView) {
    guard case .read(let key) = operation else { return }
    let expected = history[key]?.last { $0.revision <= view.revision }?.pair
    let seen = view.get(key)
    if seen != expected {
      violations.append(
        "read \(id) at revision \(view.revision) saw \(String(describing: seen)), the log says \(String(describing: expected))")
    }
  }
}
