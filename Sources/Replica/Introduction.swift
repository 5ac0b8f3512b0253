import ByteCoding
import Raft

/// What a node says of itself, if the configuration says it otherwise or not at all.
package struct Introduction: Equatable, Sendable {
  package struct Address: Equatable, Sendable {
    let node: NodeID
    let peerAddress: String
    let clientAddress: String

    /// What may stand in a configuration. A node that serves no clients has no address for them.
    var isPlausible: Bool {
      (1...Member.maximumTextSize).contains(peerAddress.utf8.count) && clientAddress.utf8.count <= Member.maximumTextSize
    }
  }

  let own: Address
  /// See `ReplicaSettings.priority`.
  let priority: UInt8
  /// Whether the sender wants to be told the same of the receiver.
  let wantsAnswer: Bool
  /// Where the sender's newest configuration stands: what it knows of others is as old as that.
  let configurationIndex: LogIndex
  /// Where the sender reaches the other members.
  let others: [Address]

  func encode(into writer: inout ByteWriter) {
    writer.write(priority)
    writer.write(wantsAnswer)
    writer.write(configurationIndex)
    writer.write(UInt16(others.count + 1))
    for address in [own] + others {
      writer.write(address.node.rawValue)
      writer.write(address.peerAddress)
      writer.write(address.clientAddress)
    }
  }

  init(from reader: inout ByteReader) throws(MalformedBytes) {
    priority = try reader.readUInt8()
    wantsAnswer = try reader.readBool()
    configurationIndex = try reader.readUInt64()
    let count = Int(try reader.readUInt16())
    guard (1...Configuration.maximumMembers).contains(count) else { throw MalformedBytes("introduction: \(count) addresses") }
    var addresses: [Address] = []
    for _ in 0..<count {
      let node = NodeID(try reader.readUInt64())
      addresses.append(Address(node: node, peerAddress: try reader.readString(), clientAddress: try reader.readString()))
    }
    guard addresses.allSatisfy(\.isPlausible) else { throw MalformedBytes("introduction: an address that is empty or too long") }
    own = addresses[0]
    others = Array(addresses.dropFirst())
  }

  init(own: Address, priority: UInt8, wantsAnswer: Bool, configurationIndex: LogIndex, others: [Address]) {
    self.own = own
    self.priority = priority
    self.wantsAnswer = wantsAnswer
    self.configurationIndex = configurationIndex
    self.others = others
  }
}

/// A member of which more is known than the configuration says.
struct Acquaintance: Sendable {
  let address: Introduction.Address
  let priority: UInt8
  /// What the configuration said of it then. If that says something else by now, the address here is old.
  let said: Member
  /// It said so itself; else another member did, and it may be old.
  let isFirsthand: Bool
  let at: Instant
}
