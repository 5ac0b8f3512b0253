import ArgumentParser
import Coracle
import Credentials
import KeyValue
import Testing

@testable import Server

@Suite struct ServeOptionsTests {
  private func configuration(_ arguments: String...) throws -> ServeConfiguration {
    try ServeOptions.parse(arguments).configuration()
  }

  @Test func withoutOptionsItIsANodeOfItsOwnOnLoopback() throws {
    let configuration = try configuration()
    #expect(configuration.node.name == "default")
    #expect(configuration.node.dataDirectory == "coracle-data")
    #expect(configuration.client.isLoopback && configuration.node.peerAddress.isLoopback)
    #expect(configuration.node.initialCluster.isEmpty)
    #expect(configuration.links == nil)
  }

  @Test func everyOptionArrives() throws {
    let configuration = try configuration(
      "--name", "n1", "--data-dir", "/tmp/d", "--client-address", "0.0.0.0:2379", "--peer-address", "[::]:2380", "--initial-cluster",
      "n1=a.example:2380,n2=[2001:db8::2]:2380", "--insecure", "--advertise-client-address", "a.example:2379", "--advertise-peer-address",
      "a.example:2380", "--links-address", "127.0.0.1:8080", "--heartbeat-interval", "100", "--election-timeout", "1000", "--log-level",
      "debug")
    #expect(configuration.node.initialCluster.map(\.name) == ["n1", "n2"])
    #expect(configuration.node.initialCluster[1].peerAddress.host == "2001:db8::2")
    #expect(configuration.node.advertisedClientAddress == "a.example:2379")
    #expect(configuration.node.advertisedPeerAddress?.description == "a.example:2380")
    #expect(configuration.node.settings.raft.heartbeatInterval == .milliseconds(100))
    #expect(configuration.node.settings.raft.electionTimeout == .milliseconds(1000))
    #expect(configuration.links?.port == 8080)
    #expect(configuration.logLevel == .debug)
  }

  @Test(arguments: [("a.example", "a.example"), ("10.77.0.1", "10.77.0.1"), ("2001:db8::1", "[2001:db8::1]")])
  func aHostListensEverywhereAndTalksEncrypted(host: String, reached: String) throws {
    let configuration = try configuration("--host", host)
    #expect(configuration.isReachable && configuration.isEncrypted && configuration.node.credentials != nil)
    #expect(!configuration.node.allowsPlainTextBeyondLoopback)
    #expect(configuration.client.isUnspecified && configuration.client.port == 2379)
    #expect(configuration.node.peerAddress.isUnspecified && configuration.node.peerAddress.port == 2380)
    #expect(configuration.node.advertisedClientAddress == "\(reached):2379")
    #expect(configuration.node.advertisedPeerAddress?.description == "\(reached):2380")
    #expect(configuration.node.name == host)
  }

  @Test(arguments: [
    ["--client-address", "10.0.0.1:2379"], ["--peer-address", "10.0.0.1:2380"], ["--links-address", "0.0.0.0:80"],
    ["--peer-address", "0.0.0.0:2380", "--advertise-peer-address", "a:1"],
  ])
  func onePortThatOthersReachMakesAllEncrypted(arguments: [String]) throws {
    let configuration = try ServeOptions.parse(arguments).configuration()
    #expect(configuration.isEncrypted && configuration.node.credentials != nil && configuration.node.name == "default")
    let plain = try ServeOptions.parse(arguments + ["--insecure"]).configuration()
    #expect(!plain.isEncrypted && plain.isReachable && plain.node.credentials == nil && plain.node.allowsPlainTextBeyondLoopback)
  }

  @Test func loopbackIsPlain() throws {
    let configuration = try configuration("--name", "a", "--initial-cluster", "a=127.0.0.1:2380,b=127.0.0.1:2381")
    #expect(!configuration.isReachable && !configuration.isEncrypted && configuration.node.credentials == nil)
  }

  @Test func aHostMayHaveAnotherNameAndAListOfMembersInPlainText() throws {
    let configuration = try configuration(
      "--host", "a.example", "--name", "n1", "--insecure", "--initial-cluster", "n1=a.example:2380,n2=b:1")
    #expect(configuration.node.name == "n1" && configuration.node.initialCluster.count == 2 && !configuration.isEncrypted)
  }

  @Test(
    "Refused, with the option named",
    arguments: [
      (["--client-address", "nowhere"], "--client-address"), (["--client-address", "::1:2379"], "--client-address"),
      (["--peer-address", "10.0.0.1:2380", "--initial-cluster", "default=10.0.0.1:2380"], "--insecure"),
      (["--certificate-life", "1"], "--certificate-life"),
      (["--host", "a.example", "--initial-cluster", "a.example=a.example:2380"], "--initial-cluster: nodes that are to talk encrypted"),
      (["--host", "a.example", "--initial-cluster", "a.example=a.example:2380"], "--insecure"),
      (["--host", "0.0.0.0", "--name", "a"], "--advertise-client-address: clients cannot use"),
      (["--client-address", "0.0.0.0:2379", "--insecure"], "--advertise-client-address"),
      (["--initial-cluster", "n1"], "--initial-cluster"), (["--initial-cluster", "=127.0.0.1:1"], "--initial-cluster"),
      (["--initial-cluster", "a=127.0.0.1:1,"], "--initial-cluster"), (["--heartbeat-interval", "0"], "--heartbeat-interval"),
      (["--election-timeout", "149"], "--election-timeout"), (["--name", ""], "--name: "), (["--data-dir", ""], "--data-dir: "),
      (["--client-address", "http://127.0.0.1:2379"], "--client-address: \"http://127.0.0.1:2379\" is no address: it is a URL"),
      (["--advertise-client-address", "0.0.0.0:2379"], "--advertise-client-address: clients cannot use 0.0.0.0:2379"),
      (["--advertise-client-address", "0:2379"], "--advertise-client-address: "),
      (["--advertise-peer-address", "[0::]:2380"], "--advertise-peer-address: peers cannot reach [::]:2380"),
      (["--peer-address", "0.0.0.0:2380", "--insecure"], "--peer-address: "),
      (["--initial-cluster", "default=127.0.0.1:2380,b=0.0.0.0:1"], "--initial-cluster: nobody can reach b"),
      (["--initial-cluster", "b=127.0.0.1:2380"], "--initial-cluster: the initial cluster must contain this node"),
      (["--name", "a", "--peer-address", "[::1]:1", "--initial-cluster", "a=[::1]:1,b=[0::1]:1"], "--initial-cluster: an address"),
    ])
  func refused(arguments: [String], mentions: String) {
    #expect {
      _ = try ServeOptions.parse(arguments)
    } throws: {
      ServeOptions.message(for: $0).contains(mentions) && ServeOptions.exitCode(for: $0).rawValue == 64
    }
  }

  @Test func whatOthersReachIsEncryptedUnlessToldOtherwise() throws {
    for arguments in [
      ["--host", "one.example.org"], ["--peer-address", "10.0.0.1:2380"], ["--client-address", "10.0.0.1:2379"],
      ["--links-address", "0.0.0.0:80"],
    ] {
      let configuration = try ServeOptions.parse(arguments).configuration()
      #expect(configuration.isEncrypted && configuration.node.credentials != nil, "\(arguments)")
      #expect(try !ServeOptions.parse(arguments + ["--insecure"]).configuration().isEncrypted, "\(arguments)")
    }
    #expect(try !ServeOptions.parse([]).configuration().isEncrypted)
  }

  @Test func aCertificateOfOnesOwnMeansTLS() throws {
    let files = ["--cert-file", "c.pem", "--key-file", "k.pem"]
    let own = try ServeOptions.parse(files).configuration()
    #expect(own.clientCertificate == CertificateFiles(certificate: "c.pem", key: "k.pem") && own.linksCertificate == nil)
    #expect(own.isEncrypted && own.node.credentials != nil, "on loopback too")
    let links = ["--links-address", "127.0.0.1:80", "--links-cert-file", "c.pem", "--links-key-file", "k.pem"]
    let browsers = try ServeOptions.parse(links).configuration()
    #expect(browsers.linksCertificate != nil && browsers.clientCertificate == nil)
    #expect(!browsers.isEncrypted, "what browsers are shown says nothing of the cluster")
    let refusals = [
      Array(files.prefix(2)): "--cert-file needs --key-file", Array(files.suffix(2)): "--key-file needs --cert-file",
      files + ["--insecure"]: "--cert-file: with --insecure", Array(links.suffix(4)): "--links-cert-file: there is no port",
      Array(links.prefix(4)): "--links-cert-file needs", files + ["--initial-cluster", "default=127.0.0.1:2380"]: "--initial-cluster: ",
    ]
    for (arguments, mentions) in refusals { refused(arguments: arguments, mentions: mentions) }
  }

  @Test func aHostIsEnough() throws {
    let configuration = try ServeOptions.parse(["--host", "2001:db8::1"]).configuration()
    #expect(configuration.node.name == "2001:db8::1" && configuration.node.advertisedClientAddress == "[2001:db8::1]:2379")
    #expect(configuration.node.advertisedPeerAddress?.description == "[2001:db8::1]:2380")
    #expect(configuration.client.isUnspecified && configuration.node.peerAddress.isUnspecified)
  }
}

@Suite struct ClientOptionsTests {
  @Test func endpointsAreAddressesOrURLs() throws {
    let options = try ClientOptions.parse(["--endpoints", "127.0.0.1:2379, http://[::1]:2379/,a.example:1"])
    #expect(try options.parsedEndpoints().map(\.description) == ["127.0.0.1:2379", "[::1]:2379", "a.example:1"])
  }

  @Test func theSameAddressIsAskedOnce() throws {
    let options = try ClientOptions.parse(["--endpoints", "[0:0::1]:1,HTTP://Localhost:1/,localhost:1,[::1]:1"])
    #expect(try options.parsedEndpoints().map(\.description) == ["[::1]:1", "localhost:1"])
  }

  @Test(
    "Refused, with the option named",
    arguments: [
      (["--endpoints", "nowhere"], "--endpoints: "), (["--endpoints", ""], "--endpoints: "), (["--endpoints", "a:70000"], "--endpoints: "),
      (["--endpoints", "ftp://a:1"], "--endpoints: "), (["--endpoints", "https://a:1"], "--credentials"),
      (["--timeout", "0"], "--timeout"),
      (["--endpoints", "http://a:1/v3"], "--endpoints: "), (["--timeout", "nan"], "--timeout"),
    ])
  func refused(arguments: [String], mentions: String) {
    #expect {
      _ = try ClientOptions.parse(arguments)
    } throws: {
      ClientOptions.message(for: $0).contains(mentions) && ClientOptions.exitCode(for: $0).rawValue == 64
    }
  }

  @Test func theDemosPortsAreAskedByDefault() {
    #expect(ClientOptions.defaultEndpoints == "127.0.0.1:2379,127.0.0.1:2389,127.0.0.1:2399")
  }

  @Test func rangesAreWhatTheArgumentsSay() throws {
    #expect(try RangeCommand.parse([]).range == .all)
    #expect(try RangeCommand.parse(["a", "--prefix"]).range == KeyRange(start: [0x61], end: [0x62]))
    #expect(try RangeCommand.parse(["a", "c"]).range == KeyRange(start: [0x61], end: [0x63]))
    #expect(try RangeCommand.parse(["a"]).range == KeyRange(start: [0x61], end: [0]))
    #expect(throws: (any Error).self) { try RangeCommand.parse(["a", "b", "--prefix"]) }
    #expect(throws: (any Error).self) { try PutCommand.parse(["", "v"]) }
  }

  @Test func tablesAreAligned() {
    #expect(StatusCommand.table([["A", "LONG"], ["longer", "x"]]) == "A       LONG\nlonger  x")
  }
}
