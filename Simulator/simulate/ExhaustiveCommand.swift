import ArgumentParser
import Foundation
import Simulation

extension Scope.Preset: ExpressibleByArgument {}
extension Scope.Opening: ExpressibleByArgument {}

struct ExhaustiveCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "exhaustive", abstract: "Walk through every state that a small cluster can come to.",
    discussion: """
      Every order of deliveries, completed writes and faults that the budgets allow, breadth first, up to names of nodes and values; \
      every state is checked. A violation is told as a shortest path. \
      Exit status 0: no violation; 1: a violation; 64: the command line makes no sense.
      """)

  @Argument(help: "A scope; the options change what they name in it.")
  var preset: Scope.Preset?
  @Option(help: "How many nodes: 2 or 3.") var nodes: Int?
  @Option(help: "How many different values clients propose: 1 or 2.") var values: Int?
  @Option(help: "Most steps of a path.") var depth: Int?
  @Option(help: "Where it begins: fresh, led, figure8 or diverged.") var opening: Scope.Opening?
  @Option(help: "How often a node's patience may end on one path.") var timeOuts: Int?
  @Option(help: "How often a leader's heartbeat may be due.") var heartbeats: Int?
  @Option(help: "How many values may be proposed.") var proposals: Int?
  @Option(help: "How often a node may lose power.") var crashes: Int?
  @Option(help: "How many messages may be lost.") var losses: Int?
  @Option(help: "How many messages may be delivered twice.") var duplicates: Int?
  @Flag(inversion: .prefixedNo, help: "Writes are durable at once.") var instantDisks: Bool?
  @Flag(inversion: .prefixedNo, help: "States that differ in names alone count as one.") var symmetry = true
  @Option(help: "Most states that are remembered, about 80 bytes each.") var states: Int?
  @Option(help: "For how many seconds, at most.") var seconds: Double?

  func validate() throws {
    if let flaw = scope.flaw { throw ValidationError(flaw) }
    guard (seconds ?? 1) > 0 else { throw ValidationError("--seconds must be positive") }
  }

  private var scope: Scope {
    var scope = preset.map(Scope.init) ?? Scope()
    scope.nodes = nodes ?? scope.nodes
    scope.values = values ?? scope.values
    scope.depth = depth ?? scope.depth
    scope.opening = opening ?? scope.opening
    scope.hasInstantDisks = instantDisks ?? scope.hasInstantDisks
    scope.usesSymmetry = symmetry
    scope.maximumStates = states ?? scope.maximumStates
    scope.budget.timeOuts = timeOuts ?? scope.budget.timeOuts
    scope.budget.heartbeats = heartbeats ?? scope.budget.heartbeats
    scope.budget.proposals = proposals ?? scope.budget.proposals
    scope.budget.crashes = crashes ?? scope.budget.crashes
    scope.budget.losses = losses ?? scope.budget.losses
    scope.budget.duplicates = duplicates ?? scope.budget.duplicates
    return scope
  }

  func run() throws {
    var exploration = try Exploration(scope)
    print(Self.describe(scope))
    let began = Date()
    var printedDepth = 0
    while exploration.advance(by: 10_000) {
      let elapsed = Date().timeIntervalSince(began)
      if exploration.depth > printedDepth {
        print(Self.line(exploration, elapsed))
        printedDepth = exploration.depth
      }
      if let seconds, elapsed >= seconds { break }
    }
    print(Self.line(exploration, Date().timeIntervalSince(began)))
    print("\(exploration.nodeStates) states of single nodes, \(exploration.messageCount) messages, fingerprint \(exploration.fingerprint)")
    print("ended: \(exploration.ending?.rawValue ?? "the time is over"), whole to depth \(exploration.wholeDepth)")
    guard exploration.flaw != nil else { return print("no violation") }
    for line in exploration.story { print(line) }
    throw ExitCode.failure
  }

  private static func describe(_ scope: Scope) -> String {
    let budget = scope.budget
    return "\(scope.nodes) nodes, \(scope.values) values, opening \(scope.opening.rawValue), "
      + "\(scope.hasInstantDisks ? "instant disks" : "each write a step"), at most \(scope.depth) steps and \(scope.maximumStates) states\n"
      + "time-outs \(budget.timeOuts), heartbeats \(budget.heartbeats), proposals \(budget.proposals), crashes \(budget.crashes), "
      + "losses \(budget.losses), duplicates \(budget.duplicates)"
  }

  private static func line(_ exploration: Exploration, _ elapsed: TimeInterval) -> String {
    "depth \(exploration.depth): \(exploration.visited) visited, \(exploration.distinct) distinct, \(exploration.frontier) ahead, "
      + "\((elapsed * 10).rounded() / 10) s, \(Int(Double(exploration.visited) / max(elapsed, 0.001))) states/s"
  }
}
