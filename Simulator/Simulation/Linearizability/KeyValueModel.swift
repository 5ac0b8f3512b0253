import KeyValue
import Raft

/// A value by its number in the history; 0 stands for a key that does not exist.
typealias ValueNumber = UInt32

/// Something that a client may be shown of one key. Keys are numbered in their order.
struct KeyCondition: Hashable {
  enum Test: Hashable {
    case equals(ValueNumber)
    case differs(ValueNumber)

    var value: ValueNumber {
      switch self {
      case .equals(let value), .differs(let value): value
      }
    }
  }

  let key: Int
  let test: Test

  static func exists(_ key: Int) -> KeyCondition { KeyCondition(key: key, test: .differs(0)) }
  static func isAbsent(_ key: Int) -> KeyCondition { KeyCondition(key: key, test: .equals(0)) }

  var negated: KeyCondition {
    switch test {
    case .equals(let value): KeyCondition(key: key, test: .differs(value))
    case .differs(let value): KeyCondition(key: key, test: .equals(value))
    }
  }

  func holds(for value: ValueNumber) -> Bool {
    switch test {
    case .equals(let expected): value == expected
    case .differs(let expected): value != expected
    }
  }
}

/// What a request does, and what its answer shows, one after the other.
indirect enum KeyValueAction: Hashable {
  /// A comparison's outcome, as the answer has it. Comparisons see the store as it was before the request.
  case require([KeyCondition], hold: Bool)
  /// Shown at this point.
  case see(KeyCondition)
  /// So many of the keys exist at this point.
  case count([Int], Int)
  case write(Int, ValueNumber)
  /// A transaction whose client was not told the outcome.
  case choose([KeyCondition], success: [KeyValueAction], failure: [KeyValueAction])
}

/// What all that a history's operations do to one group of keys makes of them: values, and nothing of revisions.
struct KeyValueModel: SequentialModel {
  /// A key has this value.
  struct Fact: Hashable {
    let key: Int
    let value: ValueNumber
  }

  /// The keys of the group, ascending: the state has their values in this order.
  let keys: [Int]

  var initial: [ValueNumber] { [ValueNumber](repeating: 0, count: keys.count) }

  func step(_ state: [ValueNumber], _ actions: [KeyValueAction]) -> [ValueNumber]? {
    var after = state
    return perform(actions, before: state, &after) ? after : nil
  }

  private func perform(_ actions: [KeyValueAction], before: [ValueNumber], _ state: inout [ValueNumber]) -> Bool {
    actions.allSatisfy { action in
      switch action {
      case .require(let conditions, let hold): return holds(conditions, in: before) == hold
      case .see(let condition): return holds([condition], in: state)
      case .count(let keys, let count): return keys.count { value(of: $0, in: state) != 0 } == count
      case .write(let key, let value):
        if let slot = slot(of: key) { state[slot] = value }
        return true
      case .choose(let conditions, let success, let failure):
        return perform(holds(conditions, in: before) ? success : failure, before: before, &state)
      }
    }
  }

  private func holds(_ conditions: [KeyCondition], in state: [ValueNumber]) -> Bool {
    conditions.allSatisfy { $0.holds(for: value(of: $0.key, in: state)) }
  }

  private func value(of key: Int, in state: [ValueNumber]) -> ValueNumber { slot(of: key).map { state[$0] } ?? 0 }

  /// `nil` for a key that nobody looks at.
  private func slot(of key: Int) -> Int? {
    var (low, high) = (0, keys.count)
    while low < high {
      let middle = (low + high) / 2
      if keys[middle] < key { low = middle + 1 } else { high = middle }
    }
    return low < keys.count && keys[low] == key ? low : nil
  }

  func isReadOnly(_ actions: [KeyValueAction]) -> Bool { makes(actions).isEmpty }

  /// Values that the answer names, of keys that the operation itself had not written before.
  func needs(_ actions: [KeyValueAction]) -> [Fact] {
    var written: [Int] = []
    return actions.flatMap { action -> [Fact] in
      switch action {
      case .require(let conditions, hold: true): return conditions.compactMap(\.fact)
      case .see(let condition): return written.contains(condition.key) ? [] : [condition].compactMap(\.fact)
      case .write(let key, _):
        written.append(key)
        return []
      case .require, .count, .choose: return []
      }
    }
  }

  func makes(_ actions: [KeyValueAction]) -> [Fact] { actions.writes.filter { slot(of: $0.key) != nil } }

  func holds(_ fact: Fact, in state: [ValueNumber]) -> Bool { value(of: fact.key, in: state) == fact.value }

  func lost(from before: [ValueNumber], to after: [ValueNumber]) -> [Fact] {
    before.indices.filter { before[$0] != after[$0] }.map { Fact(key: keys[$0], value: before[$0]) }
  }
}

extension KeyCondition {
  fileprivate var fact: KeyValueModel.Fact? {
    guard case .equals(let value) = test else { return nil }
    return KeyValueModel.Fact(key: key, value: value)
  }
}

extension [KeyValueAction] {
  /// All that decides what the operation answers or does.
  var conditions: [KeyCondition] {
    flatMap { action -> [KeyCondition] in
      switch action {
      case .require(let conditions, _): conditions
      case .see(let condition): [condition]
      case .count(let keys, _): keys.map { .exists($0) }
      case .choose(let conditions, let success, let failure): conditions + success.conditions + failure.conditions
      case .write: []
      }
    }
  }

  /// All keys that it looks at or changes. Some come more than once.
  var keys: [Int] { conditions.map(\.key) + writes.map(\.key) }

  /// In the order in which they are written; of a transaction whose outcome is not known, those of both branches.
  var writes: [KeyValueModel.Fact] {
    flatMap { action -> [KeyValueModel.Fact] in
      switch action {
      case .write(let key, let value): [KeyValueModel.Fact(key: key, value: value)]
      case .choose(_, let success, let failure): success.writes + failure.writes
      case .require, .see, .count: []
      }
    }
  }

  /// The same with each value written changed, where it is not deleted.
  func mapWrites(_ transform: (KeyValueModel.Fact) -> ValueNumber) -> [KeyValueAction] {
    map { action in
      switch action {
      case .write(let key, let value) where value != 0: .write(key, transform(KeyValueModel.Fact(key: key, value: value)))
      case .choose(let conditions, let success, let failure):
        .choose(conditions, success: success.mapWrites(transform), failure: failure.mapWrites(transform))
      case .require, .see, .count, .write: action
      }
    }
  }
}
