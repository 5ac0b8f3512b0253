/// Whom a step of a scenario means: by name, by what they do when the step is taken, or several of these.
///
/// A name of one letter that the world has not is a mistake of the scenario, and its step fails.
public struct Servers: Hashable, Sendable, ExpressibleByArrayLiteral, CustomStringConvertible {
  indirect enum Choice: Hashable, Sendable {
    case named(String)
    /// Whom a majority follows by now.
    case leader
    /// Those that run and do not lead.
    case followers
    case all(but: Servers)
    case several([Servers])
  }

  let choice: Choice

  init(_ choice: Choice) { self.choice = choice }

  /// The server with this name.
  public init(_ name: String) { choice = .named(name) }

  public init(arrayLiteral elements: Servers...) { choice = .several(elements) }

  public static let a = Servers("a")
  public static let b = Servers("b")
  public static let c = Servers("c")
  public static let d = Servers("d")
  public static let e = Servers("e")
  public static let f = Servers("f")
  public static let g = Servers("g")
  public static let h = Servers("h")
  public static let i = Servers("i")
  public static let j = Servers("j")

  public static let leader = Servers(.leader)
  public static let followers = Servers(.followers)
  public static let all = Servers(.all(but: []))
  public static func all(but others: Servers) -> Servers { Servers(.all(but: others)) }

  /// As the transcript shows it.
  public var description: String {
    switch choice {
    case .named(let name): name
    case .leader: "the leader"
    case .followers: "the followers"
    case .all(let others): others == [] ? "all" : "all but \(others)"
    case .several(let servers): servers.map(\.description).joined(separator: ", ")
    }
  }
}
