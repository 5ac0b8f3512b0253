import ByteCoding
import Raft
import WriteAheadLog

/// How an operator's flags describe a node and the cluster it should form.
public struct PeerInfo: Hashable, Sendable {
  public let name: String
  /// Where peers reach this node, as `host:port`.
  public let peerAddress: String
  /// Where clients reach this node, as `host:port`.
  public let clientAddress: String
  /// Everybody's name and peer address, this node's included. Looked at only until the cluster is formed.
  public let initialCluster: [InitialMember]

  /// Peer addresses of members of a cluster that formed before, which this node joins; looked at only while it belongs to none. It becomes
  /// a member when an operator adds it (`OperatorRequest.add`).
  public let join: [String]

  /// Where members of the cluster are reached by now, if all of them moved: to tell one node is enough, since it tells the others.
  public let newAddresses: [String]

  public struct InitialMember: Hashable, Sendable {
    public let name: String
    public let peerAddress: String

    public init(name: String, peerAddress: String) {
      self.name = name
      self.peerAddress = peerAddress
    }
  }

  /// An empty `initialCluster` stands for a cluster of this node alone.
  public init(
    name: String, peerAddress: String, clientAddress: String, initialCluster: [InitialMember] = [], join: [String] = [],
    newAddresses: [String] = []
  ) {
    self.name = name
    self.peerAddress = peerAddress
    self.clientAddress = clientAddress
    self.join = join
    self.newAddresses = newAddresses
    self.initialCluster = initialCluster.isEmpty ? [InitialMember(name: name, peerAddress: peerAddress)] : initialCluster
  }

  /// The same node, reached at another address.
  package func moved(to address: String, knowing newAddresses: [String]) -> PeerInfo {
    PeerInfo(
      name: name, peerAddress: address, clientAddress: clientAddress, initialCluster: initialCluster, join: join, newAddresses: newAddresses
    )
  }
}

/// What nodes tell each other of themselves while they form a cluster.
package struct BootstrapMessage: Equatable, Sendable {
  let name: String
  let peerAddress: String
  let clientAddress: String
  /// The names in the sender's `initialCluster`, sorted.
  let names: [String]
  /// How far the sender has come, as its identity record says.
  let phase: IdentityRecord.Phase

  func encode(into writer: inout ByteWriter) {
    writer.write(name)
    writer.write(peerAddress)
    writer.write(clientAddress)
    writer.write(UInt32(names.count))
    for name in names { writer.write(name) }
    switch phase {
    case .undecided: writer.write(UInt8(0))
    case .voted(let configuration):
      writer.write(UInt8(1))
      writer.write(prefixed: configuration.encoded())
    case .joined(let configuration), .formed(let configuration):
      writer.write(UInt8(2))
      writer.write(prefixed: configuration.encoded())
    }
  }

  init(from reader: inout ByteReader) throws(MalformedBytes) {
    name = try reader.readString()
    peerAddress = try reader.readString()
    clientAddress = try reader.readString()
    var names: [String] = []
    for _ in 0..<(try reader.readCount(elementSize: 4)) { names.append(try reader.readString()) }
    self.names = names
    switch try reader.readUInt8() {
    case 0: phase = .undecided
    case 1: phase = .voted(try Configuration(decoding: try reader.readPrefixed()))
    case 2: phase = .formed(try Configuration(decoding: try reader.readPrefixed()))
    default: throw MalformedBytes("bootstrap message: unknown phase")
    }
  }

  init(name: String, peerAddress: String, clientAddress: String, names: [String], phase: IdentityRecord.Phase) {
    self.name = name
    self.peerAddress = peerAddress
    self.clientAddress = clientAddress
    self.names = names
    self.phase = phase
  }
}
