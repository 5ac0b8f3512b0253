extension Story {
  /// Lives the story through with the clients that belong to its seed: those of the link shortener for one in five, else those of the
  /// key-value store.
  public func run(tracing: Bool = false) -> RunReport {
    seed % 5 == 1 ? runLinks(tracing: tracing) : runKeyValue(tracing: tracing)
  }
}
