// swift-tools-version: 6.2
import PackageDescription

/// Warnings are errors where the environment says so, as `.ci/run` does: not for whoever builds this with a later compiler.
let house: [SwiftSetting] = Context.environment["CORACLE_STRICT"] == nil ? [] : [.treatAllWarnings(as: .error)]

let package = Package(
  name: "coracle",
  platforms: [.macOS(.v15)],
  products: [
    .library(name: "Raft", targets: ["Raft"]),
    .library(name: "WriteAheadLog", targets: ["WriteAheadLog"]),
    .library(name: "Replica", targets: ["Replica"]),
    .library(name: "KeyValue", targets: ["KeyValue"]),
    .library(name: "Simulation", targets: ["Simulation"]),
    .executable(name: "coracle", targets: ["Server"]),
  ],
  traits: [
    .default(enabledTraits: ["Server"]),
    .trait(name: "Server", description: "The coracle command. Without it no third-party package is resolved."),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2")
  ],
  targets: [
    .target(name: "ByteCoding"),
    .target(name: "Raft", dependencies: ["ByteCoding"]),
    .target(name: "WriteAheadLog", dependencies: ["ByteCoding", "Raft"]),
    .target(name: "Replica", dependencies: ["ByteCoding", "Raft", "WriteAheadLog"]),
    .target(name: "KeyValue", dependencies: ["ByteCoding", "Replica"]),
    .target(name: "Links", dependencies: ["ByteCoding", "KeyValue"]),
    .target(
      name: "Simulation", dependencies: ["ByteCoding", "Raft", "WriteAheadLog", "Replica"], path: "Simulator/Simulation"),
    .executableTarget(
      name: "Server",
      dependencies: [.product(name: "ArgumentParser", package: "swift-argument-parser", condition: .when(traits: ["Server"]))]),
    .testTarget(name: "HouseTests"),
    .testTarget(name: "ByteCodingTests", dependencies: ["ByteCoding"]),
    .testTarget(name: "RaftTests", dependencies: ["Raft"]),
    .testTarget(name: "WriteAheadLogTests", dependencies: ["WriteAheadLog", "Simulation"]),
    .testTarget(name: "ReplicaTests", dependencies: ["Replica", "KeyValue", "Simulation"]),
    .testTarget(name: "KeyValueTests", dependencies: ["KeyValue"]),
    .testTarget(name: "LinksTests", dependencies: ["Links"]),
  ],
  swiftLanguageModes: [.v6]
)

for target in package.targets {
  target.swiftSettings = (target.swiftSettings ?? []) + house
}
