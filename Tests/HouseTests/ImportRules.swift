/// Who may import what. A directory without a row, and a row without a directory, are findings: so a new target is a decision.
enum ImportTable {
  /// What the simulator exercises: the standard library and each other, nothing else.
  static let pure: [String: Set<String>] = [
    "Sources/ByteCoding": [],
    "Sources/Raft": ["ByteCoding"],
    "Sources/WriteAheadLog": ["ByteCoding", "Raft"],
    "Sources/Replica": ["ByteCoding", "Raft", "WriteAheadLog"],
    "Sources/KeyValue": ["ByteCoding", "Raft", "Replica"],
    "Sources/Links": ["ByteCoding", "KeyValue"],
    "Simulator/Simulation": ["ByteCoding", "Raft", "WriteAheadLog", "Replica", "KeyValue", "Links"],
  ]

  private static let pureModules: Set<String> = ["ByteCoding", "Raft", "WriteAheadLog", "Replica", "KeyValue", "Links", "Simulation"]

  /// Where threads, sockets, clocks and files are, and the tests.
  static let impure: [String: Set<String>] = [
    "Sources/Budget": ["Synchronization"],
    "Sources/Coracle": pureModules.union([
      "Budget", "Credentials", "Darwin", "Glibc", "Logging", "Metrics", "Musl", "NIOConcurrencyHelpers", "NIOCore", "NIOPosix", "NIOSSL",
      "NIOTLS", "ServiceLifecycle", "Sockets", "Synchronization",
    ]),
    "Sources/Credentials": [
      "Crypto", "CryptoExtras", "Darwin", "Foundation", "Glibc", "Musl", "NIOConcurrencyHelpers", "NIOCore", "NIOSSL", "NIOTLS",
      "SwiftASN1", "X509",
    ],
    "Simulator/simulate": ["ArgumentParser", "Foundation", "Raft", "Simulation", "Synchronization"],
    "Sources/RequestChecks": [],
    "Sources/Sockets": ["NIOCore"],
    "Sources/EtcdAPI": [
      "Budget", "Credentials", "KeyValue", "Raft", "Replica", "RequestChecks", "NIOCore", "NIOPosix", "NIOHTTP1", "NIOExtras", "NIOSSL",
      "NIOTLS", "Synchronization", "Sockets",
    ],
    "Sources/Server": [
      "Budget", "Coracle", "Credentials", "EtcdAPI", "KeyValue", "Links", "Raft", "Replica", "ShortLinks", "ArgumentParser",
      "AsyncHTTPClient", "Foundation", "Logging", "Metrics", "NIOConcurrencyHelpers", "NIOCore", "NIOHTTP1", "NIOPosix", "NIOSSL",
      "ServiceLifecycle", "Synchronization", "UnixSignals", "WriteAheadLog", "X509",
    ],
    "Sources/ShortLinks": [
      "Budget", "Credentials", "Foundation", "FoundationEssentials", "Hummingbird", "HummingbirdCore", "KeyValue", "Links", "Logging",
      "NIOCore", "NIOHTTP1", "NIOHTTPTypes", "RequestChecks", "ServiceLifecycle", "Synchronization", "Sockets",
    ],
    "Tests/Benchmarks": ["ArgumentParser", "ByteCoding", "Darwin", "Glibc", "KeyValue", "Raft", "Replica", "WriteAheadLog"],
    "Tests/BudgetTests": ["Testing", "Budget"],
    "Tests/ByteCodingTests": ["Testing", "ByteCoding"],
    "Tests/CoracleTests": pureModules.union([
      "Testing", "Budget", "Coracle", "Credentials", "Foundation", "Logging", "Metrics", "NIOConcurrencyHelpers", "NIOCore", "NIOEmbedded",
      "NIOPosix", "NIOSSL", "ServiceLifecycle", "X509",
    ]),
    "Tests/CredentialsTests": ["Testing", "Credentials", "Crypto", "Foundation", "NIOSSL", "X509"],
    "Tests/FuzzingTests": pureModules.union(["Testing", "EtcdAPI", "Foundation"]),
    "Tests/HouseTests": ["Testing", "Foundation"],
    "Tests/RequestChecksTests": ["Testing", "RequestChecks"],
    "Tests/RaftTests": pureModules.union(["Testing", "Golden", "Foundation"]),
    "Tests/WriteAheadLogTests": pureModules.union(["Testing", "Golden"]),
    "Tests/ReplicaTests": pureModules.union(["Testing", "Golden"]),
    "Tests/KeyValueTests": pureModules.union(["Testing", "Golden"]),
    "Tests/EtcdAPITests": pureModules.union([
      "Testing", "Budget", "Credentials", "Dispatch", "EtcdAPI", "Foundation", "LocalStore", "NIOCore", "NIOEmbedded", "NIOPosix", "NIOSSL",
      "RawClient", "Sockets", "Synchronization", "X509",
    ]),
    "Tests/SimulationTests": pureModules.union(["Testing"]),
    "Tests/ServerTests": [
      "Testing", "Server", "ArgumentParser", "Coracle", "Credentials", "EtcdAPI", "Foundation", "KeyValue", "Logging",
      "NIOConcurrencyHelpers", "Replica", "ServiceLifecycle", "X509",
    ],
    "Tests/LinksTests": pureModules.union(["Testing", "LocalStore"]),
    "Tests/Examples": ["Coracle", "Logging"],
    "Tests/Golden": [],
    "Tests/LocalStore": ["KeyValue", "Replica"],
    "Tests/RawClient": ["NIOCore", "NIOPosix", "Synchronization"],
    "Tests/ShortLinksTests": [
      "Testing", "Budget", "Foundation", "Hummingbird", "HummingbirdTesting", "KeyValue", "Links", "LocalStore", "Logging", "NIOCore",
      "NIOEmbedded", "NIOHTTPTypes", "RawClient", "ShortLinks", "Synchronization",
    ],
  ]

  static let all = pure.merging(impure) { pureRow, _ in pureRow }
}

enum ImportRules {
  private static let kinds: Set<String> = ["struct", "class", "enum", "protocol", "typealias", "func", "let", "var", "actor"]

  static func imports(_ source: SwiftSource) -> [Finding] {
    let allowed = ImportTable.all[source.directory] ?? []
    return source.tokens.indices.compactMap { index in
      guard source.tokens[index].text == "import" else { return nil }
      let rest = source.tokens[(index + 1)...]
      guard let module = rest.first(where: { !kinds.contains($0.text) }), !allowed.contains(module.text) else { return nil }
      return source.finding(.imports, line: module.line, "\(source.directory) may not import \(module.text)")
    }
  }

  /// `directories`: those that hold the targets' Swift files, as `Sources/Raft`.
  static func table(directories: Set<String>) -> [Finding] {
    let rows = Set(ImportTable.all.keys)
    let missing = directories.subtracting(rows).map { ($0, "has no row in ImportTable") }
    let stale = rows.subtracting(directories).map { ($0, "has a row in ImportTable but no Swift file") }
    return (missing + stale).sorted { $0.0 < $1.0 }.map { Finding(rule: .importTable, path: $0, line: 0, message: $1) }
  }
}
