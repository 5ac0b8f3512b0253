extension Array {
  /// `removeAll(keepingCapacity: true)`, which takes its time even where there is nothing to remove, as there mostly is not in bundles of
  /// effects.
  @inlinable
  package mutating func clear() {
    if !isEmpty { removeAll(keepingCapacity: true) }
  }
}
