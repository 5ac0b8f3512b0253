// swift-tools-version: 6.2
import PackageDescription

/// Warnings are errors where the environment says so, as `.ci/run` does: not for whoever builds this with a later compiler.
let house: [SwiftSetting] = Context.environment["CORACLE_STRICT"] == nil ? [] : [.treatAllWarnings(as: .error)]

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
    .library(name: "ShortLinks", targets: ["ShortLinks"]),
    .executable(name: "coracle", targets: ["Server"]),
  ],
  traits: [
    .default(enabledTraits: ["Server"]),
    .trait(
      name: "Server",
      description: "Threads, sockets and disks, the link service and the command. Without it no third-party package is resolved."),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1", traits: []),
    .package(url: "https://github.com/apple/swift-nio", from: "2.101.0"),
    .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
    .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
  ],
  targets: [
    .target(name: "ByteCoding"),
    .target(name: "Raft", dependencies: ["ByteCoding"]),
    .target(name: "WriteAheadLog", dependencies: ["ByteCoding", "Raft"]),
    .target(name: "Replica", dependencies: ["ByteCoding", "Raft", "WriteAheadLog"]),
    .target(name: "KeyValue", dependencies: ["ByteCoding", "Replica"]),
    .target(name: "Links", dependencies: ["ByteCoding", "KeyValue"]),
    .target(
      name: "ShortLinks",
      dependencies: [
        "KeyValue", "Links",
        .product(name: "Hummingbird", package: "hummingbird", condition: server),
        .product(name: "HummingbirdCore", package: "hummingbird", condition: server),
        .product(name: "NIOCore", package: "swift-nio", condition: server),
        .product(name: "ServiceLifecycle", package: "swift-service-lifecycle", condition: server),
        .product(name: "Logging", package: "swift-log", condition: server),
      ]),
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
    .executableTarget(
      name: "Server",
      dependencies: [.product(name: "ArgumentParser", package: "swift-argument-parser", condition: server)]),
    .testTarget(name: "HouseTests"),
    .testTarget(name: "ByteCodingTests", dependencies: ["ByteCoding"]),
    .testTarget(name: "RaftTests", dependencies: ["Raft"]),
    .testTarget(name: "WriteAheadLogTests", dependencies: ["WriteAheadLog", "Simulation"]),
    .testTarget(name: "ReplicaTests", dependencies: ["Replica", "KeyValue", "Simulation"]),
    .testTarget(name: "KeyValueTests", dependencies: ["KeyValue"]),
    .target(name: "LocalStore", dependencies: ["KeyValue", "Replica"], path: "Tests/LocalStore"),
    .testTarget(name: "LinksTests", dependencies: ["Links", "LocalStore"]),
    .testTarget(
      name: "ShortLinksTests",
      dependencies: [
        "KeyValue", "Links", "ShortLinks", "LocalStore",
        .product(name: "Hummingbird", package: "hummingbird", condition: server),
        .product(name: "HummingbirdTesting", package: "hummingbird", condition: server),
      ]),
    .testTarget(
      name: "CoracleTests",
      dependencies: [
        "Coracle", "KeyValue", .product(name: "NIOEmbedded", package: "swift-nio", condition: server),
      ]),
  ],
  swiftLanguageModes: [.v6]
)

for target in package.targets {
  target.swiftSettings = (target.swiftSettings ?? []) + house
}
