/// Keys that operations join, and all the operations that look at them or change them. Groups have nothing to do with each other, so that
/// a history is linearizable exactly if each group's part is (locality: Herlihy and Wing, section 3.1).
struct KeyValueGroup {
  /// Ascending.
  var keys: [Int] = []
  /// In the order of the history.
  var operations: [KeyValueOperation] = []

  /// The groups in the order of their first keys.
  ///
  /// What nobody looks at is left out, as no answer depends on it: keys without a condition, and operations that do nothing but write to
  /// them. Values that no condition names become one, as all of them look the same.
  static func groups(of operations: [KeyValueOperation], keyCount: Int) -> [KeyValueGroup] {
    var isObserved = [Bool](repeating: false, count: keyCount)
    var named: Set<KeyValueModel.Fact> = []
    for condition in operations.lazy.flatMap(\.actions.conditions) {
      isObserved[condition.key] = true
      named.insert(KeyValueModel.Fact(key: condition.key, value: condition.test.value))
    }

    var joined = DisjointSets(count: keyCount)
    let keys = operations.map { operation in
      operation.actions.keys.filter { isObserved[$0] }
    }
    for keys in keys { for key in keys.dropFirst() { joined.join(keys[0], key) } }

    var groups: [KeyValueGroup] = []
    var places = [Int?](repeating: nil, count: keyCount)
    for key in 0..<keyCount where isObserved[key] {
      let root = joined.root(of: key)
      if places[root] == nil {
        places[root] = groups.count
        groups.append(KeyValueGroup())
      }
      if let place = places[root] { groups[place].keys.append(key) }
    }
    for (var operation, keys) in zip(operations, keys) {
      guard let key = keys.first, let place = places[joined.root(of: key)] else { continue }
      operation.actions = operation.actions.mapWrites { named.contains($0) ? $0.value : KeyValueNames.unseen }
      groups[place].operations.append(operation)
    }
    return groups
  }
}

/// Union-find, with halved paths (Tarjan and van Leeuwen, 1984). The least member stands for its set.
private struct DisjointSets {
  private var parents: [Int]

  init(count: Int) { parents = Array(0..<count) }

  mutating func root(of member: Int) -> Int {
    var member = member
    while parents[member] != member {
      parents[member] = parents[parents[member]]
      member = parents[member]
    }
    return member
  }

  mutating func join(_ a: Int, _ b: Int) {
    let (a, b) = (root(of: a), root(of: b))
    parents[max(a, b)] = min(a, b)
  }
}
