/// A decoder of bytes that come from a peer, a file or a client, and what must hold whatever they are.
///
/// `LibFuzzer/run.py` gives it bytes that libFuzzer makes; `FuzzingTests` a few that are changed at random, so that no target rots.
struct FuzzTarget: Sendable {
  let name: String
  /// Bytes that are right, from which others are made.
  let seeds: @Sendable () throws -> [[UInt8]]
  /// Whether the bytes were taken. Traps, or throws `BrokenProperty`, if the decoder is wrong; refusing bytes is right.
  let run: @Sendable ([UInt8]) throws -> Bool

  static let all = peers + files + clients
}

/// What a decoder took is not what it should be.
struct BrokenProperty: Error, CustomStringConvertible {
  let description: String

  static func check(_ holds: Bool, _ property: String) throws {
    if !holds { throw BrokenProperty(description: property) }
  }
}
