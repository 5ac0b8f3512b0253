// swift-tools-version: 6.2
import PackageDescription

/// Warnings are errors where the environment says so, as `.ci/run` does: not for whoever builds this with a later compiler.
let house: [SwiftSetting] = Context.environment["CORACLE_STRICT"] == nil ? [] : [.treatAllWarnings(as: .error)]

/// Third-party packages are for what runs on threads, sockets and disks: whoever depends on the core alone resolves none of them.
func server(_ product: String, _ package: String) -> Target.Dependency {
  .product(name: product, package: package, condition: .when(traits: ["Server"]))
}

let package = Package(
  name: "coracle",
  platforms: [.macOS(.v15)],
  products: [
    .library(name: "ByteCoding", targets: ["ByteCoding"]),
    .library(name: "Raft", targets: ["Raft"]),
    .library(name: "WriteAheadLog", targets: ["WriteAheadLog"]),
    .library(name: "Replica", targets: ["Replica"]),
    .library(name: "KeyValue", targets: ["KeyValue"]),
    .library(name: "Simulation", targets: ["Simulation"]),
    .library(name: "Budget", targets: ["Budget"]),
    .library(name: "Credentials", targets: ["Credentials"]),
    .library(name: "ShortLinks", targets: ["ShortLinks"]),
    .library(name: "Coracle", targets: ["Coracle"]),
    .executable(name: "coracle", targets: ["Server"]),
    .executable(name: "simulate", targets: ["simulate"]),
  ],
  traits: [
    .default(enabledTraits: ["Server"]),
    .trait(name: "Server", description: "Threads, sockets, disks and the coracle command. Without it no third-party package is resolved."),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1", traits: []),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
    .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
    .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
    .package(url: "https://github.com/apple/swift-nio-extras", from: "1.35.2"),
    .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.0"),
    .package(url: "https://github.com/apple/swift-asn1", from: "1.6.0"),
    .package(url: "https://github.com/apple/swift-certificates", from: "1.20.0"),
    .package(url: "https://github.com/apple/swift-crypto", from: "4.5.0"),
    .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
    .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
  ],
  targets: [
    .target(name: "ByteCoding"),
    .target(name: "Raft", dependencies: ["ByteCoding"]),
    .target(name: "WriteAheadLog", dependencies: ["ByteCoding", "Raft"]),
    .target(name: "Replica", dependencies: ["ByteCoding", "Raft", "WriteAheadLog"]),
    .target(name: "KeyValue", dependencies: ["ByteCoding", "Raft", "Replica"]),
    .target(name: "Links", dependencies: ["ByteCoding", "KeyValue"]),
    .target(
      name: "Simulation", dependencies: ["ByteCoding", "Raft", "WriteAheadLog", "Replica", "KeyValue", "Links"],
      path: "Simulator/Simulation"),
    .target(name: "Budget"),
    .target(name: "Sockets", dependencies: [server("NIOCore", "swift-nio")]),
    .target(
      name: "Credentials",
      dependencies: [
        server("Crypto", "swift-crypto"), server("CryptoExtras", "swift-crypto"), server("NIOConcurrencyHelpers", "swift-nio"),
        server("NIOCore", "swift-nio"), server("NIOSSL", "swift-nio-ssl"), server("NIOTLS", "swift-nio"),
        server("SwiftASN1", "swift-asn1"), server("X509", "swift-certificates"),
      ]),
    .target(
      name: "Coracle",
      dependencies: [
        "Budget", "ByteCoding", "Credentials", "Raft", "WriteAheadLog", "Replica", "KeyValue", "Sockets", server("NIOCore", "swift-nio"),
        server("NIOPosix", "swift-nio"), server("NIOSSL", "swift-nio-ssl"), server("NIOTLS", "swift-nio"),
        server("NIOConcurrencyHelpers", "swift-nio"), server("Logging", "swift-log"),
        server("Metrics", "swift-metrics"), server("ServiceLifecycle", "swift-service-lifecycle"),
      ]),
    .target(name: "RequestChecks"),
    .target(
      name: "ShortLinks",
      dependencies: [
        "Budget", "Credentials", "KeyValue", "Links", "RequestChecks", "Sockets", server("Hummingbird", "hummingbird"),
        server("HummingbirdCore", "hummingbird"), server("NIOCore", "swift-nio"), server("NIOHTTP1", "swift-nio"),
        server("NIOHTTPTypes", "swift-nio-extras"), server("ServiceLifecycle", "swift-service-lifecycle"),
        server("Logging", "swift-log"),
      ]),
    .target(
      name: "EtcdAPI",
      dependencies: [
        "Budget", "Credentials", "KeyValue", "Raft", "Replica", "RequestChecks", "Sockets", server("NIOCore", "swift-nio"),
        server("NIOPosix", "swift-nio"), server("NIOHTTP1", "swift-nio"), server("NIOExtras", "swift-nio-extras"),
        server("NIOSSL", "swift-nio-ssl"), server("NIOTLS", "swift-nio"),
      ]),
    .executableTarget(
      name: "Server",
      dependencies: [
        "Budget", "Coracle", "Credentials", "EtcdAPI", "KeyValue", "Links", "Raft", "Replica", "ShortLinks", "WriteAheadLog",
        server("ArgumentParser", "swift-argument-parser"), server("AsyncHTTPClient", "async-http-client"), server("Logging", "swift-log"),
        server("Metrics", "swift-metrics"), server("NIOCore", "swift-nio"), server("NIOConcurrencyHelpers", "swift-nio"),
        server("NIOHTTP1", "swift-nio"), server("NIOPosix", "swift-nio"), server("NIOSSL", "swift-nio-ssl"),
        server("ServiceLifecycle", "swift-service-lifecycle"),
        server("UnixSignals", "swift-service-lifecycle"), server("X509", "swift-certificates"),
      ]),
    .executableTarget(
      name: "simulate",
      dependencies: ["Raft", "Simulation", server("ArgumentParser", "swift-argument-parser")], path: "Simulator/simulate"),
    .executableTarget(
      name: "benchmark",
      dependencies: [
        "ByteCoding", "KeyValue", "Raft", "Replica", "WriteAheadLog", server("ArgumentParser", "swift-argument-parser"),
      ], path: "Tests/Benchmarks"),
    .testTarget(name: "HouseTests"),
    .testTarget(name: "RequestChecksTests", dependencies: ["RequestChecks"]),
    .testTarget(name: "ByteCodingTests", dependencies: ["ByteCoding"]),
    .testTarget(name: "BudgetTests", dependencies: ["Budget"]),
    .testTarget(name: "RaftTests", dependencies: ["ByteCoding", "Golden", "Raft"], exclude: ["Scripts"]),
    .testTarget(
      name: "CredentialsTests",
      dependencies: [
        "Credentials", server("Crypto", "swift-crypto"), server("NIOSSL", "swift-nio-ssl"), server("X509", "swift-certificates"),
      ]),
    .testTarget(name: "WriteAheadLogTests", dependencies: ["Golden", "WriteAheadLog", "Simulation"]),
    .testTarget(name: "SimulationTests", dependencies: ["Simulation", "KeyValue", "Links", "Raft", "Replica", "WriteAheadLog"]),
    .testTarget(name: "ReplicaTests", dependencies: ["Golden", "Replica", "KeyValue", "Simulation"]),
    .testTarget(name: "KeyValueTests", dependencies: ["ByteCoding", "Golden", "KeyValue", "Raft", "Replica", "Simulation"]),
    .executableTarget(
      name: "EmbedTheStore", dependencies: ["Coracle", server("Logging", "swift-log")], path: "Tests/Examples/EmbedTheStore"),
    .executableTarget(
      name: "ReplicateYourOwnState", dependencies: ["Coracle", server("Logging", "swift-log")], path: "Tests/Examples/ReplicateYourOwnState"
    ),
    .target(name: "Golden", path: "Tests/Golden"),
    .target(name: "LocalStore", dependencies: ["KeyValue", "Replica"], path: "Tests/LocalStore"),
    .target(
      name: "RawClient", dependencies: [server("NIOCore", "swift-nio"), server("NIOPosix", "swift-nio")], path: "Tests/RawClient"),
    .testTarget(
      name: "FuzzingTests",
      dependencies: ["ByteCoding", "EtcdAPI", "KeyValue", "Links", "Raft", "Replica", "Simulation", "WriteAheadLog"], exclude: ["LibFuzzer"]
    ),
    .testTarget(name: "LinksTests", dependencies: ["Links", "LocalStore"]),
    .testTarget(
      name: "ShortLinksTests",
      dependencies: [
        "Budget", "KeyValue", "Links", "ShortLinks", "LocalStore", "RawClient", server("Hummingbird", "hummingbird"),
        server("HummingbirdTesting", "hummingbird"), server("Logging", "swift-log"), server("NIOEmbedded", "swift-nio"),
        server("NIOHTTPTypes", "swift-nio-extras"),
      ]),
    .testTarget(
      name: "CoracleTests",
      dependencies: [
        "Budget", "Coracle", "Credentials", "KeyValue", server("Metrics", "swift-metrics"), server("NIOEmbedded", "swift-nio"),
        server("NIOSSL", "swift-nio-ssl"), server("X509", "swift-certificates"),
      ]),
    .testTarget(
      name: "EtcdAPITests",
      dependencies: [
        "Budget", "ByteCoding", "Credentials", "EtcdAPI", "KeyValue", "LocalStore", "Raft", "RawClient", "Replica",
        "Sockets", server("NIOCore", "swift-nio"), server("NIOEmbedded", "swift-nio"), server("NIOPosix", "swift-nio"),
        server("NIOSSL", "swift-nio-ssl"), server("X509", "swift-certificates"),
      ]),
    .testTarget(
      name: "ServerTests",
      dependencies: [
        "Coracle", "Credentials", "EtcdAPI", "KeyValue", "Replica", "Server", server("ArgumentParser", "swift-argument-parser"),
        server("Logging", "swift-log"), server("NIOConcurrencyHelpers", "swift-nio"),
        server("ServiceLifecycle", "swift-service-lifecycle"), server("X509", "swift-certificates"),
      ]),
  ],
  swiftLanguageModes: [.v6]
)

for target in package.targets {
  target.swiftSettings = (target.swiftSettings ?? []) + house
}
