// swift-tools-version: 6.1
import PackageDescription

let package = Package(
  name: "coracle",
  platforms: [.macOS(.v15)],
  products: [
    .library(name: "Raft", targets: ["Raft"]),
    .library(name: "WriteAheadLog", targets: ["WriteAheadLog"]),
    .library(name: "Replica", targets: ["Replica"]),
    .library(name: "KeyValue", targets: ["KeyValue"]),
    .library(name: "Simulation", targets: ["Simulation"]),
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
    .testTarget(name: "ByteCodingTests", dependencies: ["ByteCoding"]),
    .testTarget(name: "RaftTests", dependencies: ["Raft"]),
    .testTarget(name: "WriteAheadLogTests", dependencies: ["WriteAheadLog", "Simulation"]),
    .testTarget(name: "ReplicaTests", dependencies: ["Replica", "Simulation"]),
    .testTarget(name: "KeyValueTests", dependencies: ["KeyValue"]),
    .testTarget(name: "LinksTests", dependencies: ["Links"]),
  ],
  swiftLanguageModes: [.v6]
)
