import Coracle
import Testing

@Suite struct HostPortTests {
  @Test(arguments: [
    ("localhost:2380", "localhost", 2380), ("192.0.2.1:1", "192.0.2.1", 1), ("[::1]:65535", "::1", 65535),
    ("[2001:db8::7]:80", "2001:db8::7", 80), ("[fe80::1%eth0]:80", "fe80::1%eth0", 80), ("a_b-c.example.org:0", "a_b-c.example.org", 0),
  ])
  func reads(text: String, host: String, port: Int) throws {
    let address = try HostPort(text)
    #expect(address.host == host)
    #expect(address.port == port)
    #expect(address.description == text)
  }

  @Test(arguments: [
    ("", HostPortError.Reason.noPort), ("localhost", .noPort), ("localhost:", .badPort), ("localhost:65536", .badPort),
    ("localhost:-1", .badPort), ("localhost:+1", .badPort), ("localhost:123456", .badPort), ("localhost:1 ", .badPort),
    ("localhost:１", .badPort), (":2380", .noHost), ("[]:2380", .noHost), ("::1:2380", .bracketsMissing), ("[::1:2380", .bracketsMissing),
    ("[localhost]:1", .badHost), ("[::1%]:1", .badHost), ("[::1%a/b]:1", .badHost), ("a b:1", .badHost), ("a\0b:1", .badHost),
    ("[::1\0]:1", .badHost), ("ä.example:1", .badHost), ("http://a:1", .isURL), ("a/b:1", .badHost),
    (String(repeating: "a", count: 254) + ":1", .badHost),
  ])
  func refuses(text: String, reason: HostPortError.Reason) {
    #expect { try HostPort(text) } throws: { ($0 as? HostPortError)?.reason == reason }
  }

  @Test(arguments: [
    ("localhost:1", true), ("127.0.0.1:1", true), ("127.9.9.9:1", true), ("[::1]:1", true), ("[0:0::1]:1", true), ("0.0.0.0:1", false),
    ("[::]:1", false), ("127.example.org:1", false), ("192.0.2.1:1", false), ("[::2]:1", false), ("localhost.example.org:1", false),
  ])
  func knowsLoopback(text: String, isLoopback: Bool) throws {
    #expect(try HostPort(text).isLoopback == isLoopback)
  }

  @Test(arguments: [
    ("Localhost:1", "localhost:1"), ("A.Example:1", "a.example:1"), ("[0:0::1]:1", "[::1]:1"), ("[FE80::1%Eth0]:1", "[fe80::1%Eth0]:1"),
    ("127.1:1", "127.0.0.1:1"), ("0:1", "0.0.0.0:1"),
  ])
  func spellingsOfOneAddressAreTheSame(text: String, other: String) throws {
    #expect(try HostPort(text) == HostPort(other))
    #expect(try HostPort(text).description == other)
    #expect(try HostPort(text).isUnspecified == (other == "0.0.0.0:1"))
  }

  @Test func saysWhatToWrite() throws {
    let error = #expect(throws: HostPortError.self) { try HostPort("::1:2380") }
    #expect(error?.description == "\"::1:2380\" is no address: an IPv6 address needs brackets: [::1]:2380")
  }
}
