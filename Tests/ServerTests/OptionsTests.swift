import ArgumentParser
import Coracle
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

  @Test(
    "Refused, with the option named",
    arguments: [
      (["--client-address", "nowhere"], "--client-address"), (["--client-address", "::1:2379"], "--client-address"),
      (["--client-address", "10.0.0.1:2379"], "--insecure"), (["--peer-address", "0.0.0.0:2380"], "--insecure"),
      (["--links-address", "0.0.0.0:80"], "--insecure"),
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
      (["--endpoints", "https://a:1"], "--endpoints: https://a:1: nodes talk plain HTTP"), (["--timeout", "0"], "--timeout"),
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
