// swift-tools-version: 6.1
import PackageDescription

/// What needs third-party packages is built with this trait only.
let server = TargetDependencyCondition.when(traits: ["Server"])

let package = Package(
  name: "coracle",
  platforms: [.macOS(.v15)],
  products: [
    .library(name: "Raft", targets: ["Raft"]),
    .library(name: "WriteAheadLog", targets: ["WriteAheadLog"]),
    .library(name: "Replica", targets: ["Replica"]),
    .library(name: "KeyValue", targets: ["KeyValue"]),
    .library(name: "Simulation", targets: ["Simulation"]),
    .library(name: "Coracle", targets: ["Coracle"]),
  ],
  traits: [
    .default(enabledTraits: ["Server"]),
    .trait(name: "Server", description: "Threads, sockets and disks. Without it no third-party package is resolved."),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-nio.git", from: "2.101.0"),
    .package(url: "https://github.com/apple/swift-log.git", from: "1.16.0"),
    .package(url: "https://github.com/apple/swift-metrics.git", from: "2.13.0"),
    .package(url: "https://github.com/swift-server/swift-service-lifecycle.git", from: "2.13.0"),
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
    .target(
      name: "Coracle",
      dependencies: [
        "ByteCoding", "Raft", "WriteAheadLog", "Replica", "KeyValue",
        .product(name: "NIOCore", package: "swift-nio", condition: server),
        .product(name: "NIOPosix", package: "swift-nio", condition: server),
        .product(name: "NIOConcurrencyHelpers", package: "swift-nio", condition: server),
        .product(name: "Logging", package: "swift-log", condition: server),
        .product(name: "Metrics", package: "swift-metrics", condition: server),
        .product(name: "ServiceLifecycle", package: "swift-service-lifecycle", condition: server),
      ]),
    .testTarget(name: "ByteCodingTests", dependencies: ["ByteCoding"]),
    .testTarget(name: "RaftTests", dependencies: ["Raft"]),
    .testTarget(name: "WriteAheadLogTests", dependencies: ["WriteAheadLog", "Simulation"]),
    .testTarget(name: "ReplicaTests", dependencies: ["Replica", "Simulation"]),
    .testTarget(name: "KeyValueTests", dependencies: ["KeyValue"]),
    .testTarget(name: "LinksTests", dependencies: ["Links"]),
    .testTarget(
      name: "CoracleTests",
      dependencies: ["Coracle", "KeyValue", .product(name: "NIOEmbedded", package: "swift-nio", condition: server)]),
  ],
  swiftLanguageModes: [.v6]
)
