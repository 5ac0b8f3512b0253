/// The changes of the store in their order, from the oldest that is kept: its memory of the past.
///
/// Each change has a number, one above that of the change before. It holds the version that it made (a tombstone for a deletion) and the
/// one that it replaced. So the state before any kept change can be had from the present one: of each key that changed since, the version
/// that the first of these changes replaced. To forget is to drop a beginning: nothing else need be looked at, however many keys there are.
///
/// A value: a copy is O(1) and stays as it is. Changes lie in chunks, chunks in pages, so that a write after a copy copies little.
struct ChangeLog: Sendable {
  struct Change: Sendable {
    let item: Item
    /// The version before; a tombstone if the key had been deleted and that is still kept; `nil` if it was never there, as far as is known.
    let replaced: Item?
    /// How far before this one in the log the change of the same key is whose depth is that of this one less its lowest bit; 0 for none.
    /// With them the way to a version that is n changes of its key back takes O(log² n) steps.
    fileprivate let jump: Int

    /// What it counts with in `KeyValueView.size`.
    var size: Int {
      var size = ChangeLog.changeBytes
      if item.isTombstone { size += item.keyCount + ChangeLog.itemBytes }
      if let replaced, !replaced.isTombstone { size += replaced.keyCount + replaced.valueCount + ChangeLog.itemBytes }
      return size
    }
  }

  private struct Chunk: Sendable {
    let changes: [Change]
    /// The sizes of all changes before.
    let sizeBefore: Int
  }

  /// Changes of a chunk: that many are forgotten at once.
  static let chunkChanges = 16
  private static let pageChunks = 512
  /// What a change takes beside its versions, and a version beside its key and value: about what they have in memory.
  static let changeBytes = 32
  static let itemBytes = 96

  /// Of the first change that is in memory: a multiple of `chunkChanges`.
  private(set) var start: Int
  private var pages: [[Chunk]] = []
  private var tail: [Change] = []
  /// The sizes of all changes there ever were.
  private(set) var totalSize = 0
  /// Those of the chunks that are full.
  private var chunkedSize = 0

  /// - Parameter start: a multiple of `chunkChanges`.
  init(start: Int = 0) { self.start = start }

  /// The number of the next change.
  var end: Int { start + inPages + tail.count }
  private var inPages: Int { chunkCount * ChangeLog.chunkChanges }
  private var chunkCount = 0

  subscript(number: Int) -> Change {
    let inLog = number - start
    guard inLog < inPages else { return tail[inLog - inPages] }
    let (page, chunk) = place(of: number)
    return pages[page][chunk].changes[inLog % ChangeLog.chunkChanges]
  }

  /// Chunks stand in pages by their numbers from the very first, of which the first page may lack some.
  private func place(of number: Int) -> (page: Int, chunk: Int) {
    let chunk = number / ChangeLog.chunkChanges
    let first = start / ChangeLog.chunkChanges
    let page = chunk / ChangeLog.pageChunks - first / ChangeLog.pageChunks
    return (page, page == 0 ? chunk - first : chunk % ChangeLog.pageChunks)
  }

  /// The depth of the version that follows this one.
  func depth(after replaced: Item?) -> Int {
    guard let replaced, replaced.change >= start, replaced.depth < Item.maximumDepth else { return 1 }
    return replaced.depth + 1
  }

  /// - Precondition: the item's change is `end`, its depth `depth(after: replaced)`, its revision not below that of the change before.
  mutating func append(_ item: Item, replacing replaced: Item?) {
    let change = Change(item: item, replaced: replaced, jump: jump(of: item, after: replaced))
    totalSize += change.size
    if tail.isEmpty { tail.reserveCapacity(ChangeLog.chunkChanges) }
    tail.append(change)
    if tail.count == ChangeLog.chunkChanges { finishChunk() }
  }

  /// Looks at no other change for the first three versions of a key, and for every second one of the others.
  private func jump(of item: Item, after replaced: Item?) -> Int {
    let target = item.depth & (item.depth - 1)
    guard target > 0, var found = replaced else { return 0 }
    while found.depth > target {
      let jump = self[found.change].jump
      guard jump > 0, found.change - jump >= start else { return 0 }
      found = self[found.change - jump].item
    }
    return found.depth == target ? item.change - found.change : 0
  }

  private mutating func finishChunk() {
    let number = end / ChangeLog.chunkChanges - 1
    let chunk = Chunk(changes: tail, sizeBefore: chunkedSize)
    if pages.isEmpty || number % ChangeLog.pageChunks == 0 { pages.append([]) }
    pages[pages.count - 1].append(chunk)
    chunkCount += 1
    chunkedSize = totalSize
    tail = []
  }

  /// What this version, the newest of its key, was before a change: the key's last version that an earlier change made. `nil` if there was
  /// none, or the key was deleted.
  ///
  /// - Parameter step: called for each version that is looked at.
  /// - Precondition: `boundary` is not below `start`.
  @inline(__always)
  func version(of newest: Item, before boundary: Int, step: () -> Void = {}) -> Item? {
    var item = newest
    while item.change >= boundary {
      step()
      let change = self[item.change]
      if change.jump > 0, item.change - change.jump >= boundary {
        item = self[item.change - change.jump].item
      } else {
        guard let replaced = change.replaced else { return nil }
        item = replaced
      }
    }
    return item.isTombstone ? nil : item
  }

  /// The number of the first change whose revision is not below this one; `end` if there is none. O(log n).
  func first(from revision: Revision) -> Int {
    var (low, high) = (start, end)
    while low < high {
      let middle = low + (high - low) / 2
      if self[middle].item.modRevision < revision { low = middle + 1 } else { high = middle }
    }
    return low
  }

  /// The sizes of all changes before this one.
  ///
  /// - Precondition: it is not below `start`.
  func size(before number: Int) -> Int {
    let inLog = number - start
    guard inLog < inPages else { return tail[..<(inLog - inPages)].reduce(chunkedSize) { $0 + $1.size } }
    let (page, index) = place(of: number)
    let chunk = pages[page][index]
    return chunk.changes[..<(inLog % ChangeLog.chunkChanges)].reduce(chunk.sizeBefore) { $0 + $1.size }
  }

  /// Drops the first chunk if it lies before this change, and gives what was in it.
  mutating func forgetChunk(before number: Int) -> [Change] {
    guard start + ChangeLog.chunkChanges <= number, chunkCount > 0 else { return [] }
    let chunk = pages[0].removeFirst()
    if pages[0].isEmpty { pages.removeFirst() }
    start += ChangeLog.chunkChanges
    chunkCount -= 1
    return chunk.changes
  }
}
