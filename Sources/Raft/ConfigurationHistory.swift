/// The configurations that the log holds: the newest one is in force from the moment it is appended, and an older one again if the log is
/// truncated before it.
struct ConfigurationHistory: Sendable {
  struct Item: Sendable {
    let index: LogIndex
    let configuration: Configuration
  }

  /// Never empty.
  private(set) var items: [Item]

  init(_ configuration: Configuration, at index: LogIndex) {
    items = [Item(index: index, configuration: configuration)]
  }

  var newest: Item { items[items.count - 1] }

  /// The configuration that was in force at `index`.
  func item(at index: LogIndex) -> Item { items.last { $0.index <= index } ?? items[0] }

  mutating func append(_ configuration: Configuration, at index: LogIndex) {
    items.append(Item(index: index, configuration: configuration))
  }

  /// The entries from `index` on are void.
  mutating func truncate(from index: LogIndex) {
    while items.count > 1, newest.index >= index { items.removeLast() }
  }

  /// What lies before `index` is no longer needed.
  mutating func compact(through index: LogIndex) {
    while items.count > 1, items[1].index <= index { items.removeFirst() }
  }
}
