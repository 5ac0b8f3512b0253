import Raft
import Replica

/// What operators tell a machine, from its next start on.
extension SimulatedCluster {
  /// The operator changes whom the node is told to form a cluster with, from its next start on.
  public func setList(_ list: [String], of name: String) {
    let node = nodes[index(name)]
    node.peerInfo = Self.peerInfo(name, list: list).moved(to: node.peerInfo.peerAddress, knowing: node.peerInfo.newAddresses)
  }

  /// The operator starts the node, from its next start on, to join the cluster of these members instead of forming one. As a member it is
  /// called `memberName`, if not as its machine: of each name there is one member at a time.
  public func setJoin(_ members: [String], of name: String, as memberName: String? = nil) {
    let node = nodes[index(name)]
    let (peers, clients) = (node.peerInfo.peerAddress, node.peerInfo.clientAddress)
    node.peerInfo = PeerInfo(
      name: memberName ?? name, peerAddress: peers, clientAddress: clients, join: members.map { nodes[index($0)].peerInfo.peerAddress })
  }

  /// The machine is reached elsewhere from its next start on. Its operator tells it where others are reached by now, if it is to know.
  public func move(_ name: String, to address: String, knowing others: [String] = []) {
    let node = nodes[index(name)]
    let known = others.map { nodes[index($0)].peerInfo.peerAddress }
    node.peerInfo = node.peerInfo.moved(to: address, knowing: known)
  }

  /// The node as a member; `nil` before its first start.
  public func member(_ name: String) -> Member? {
    let info = nodes[index(name)].peerInfo
    return identity(of: name).map { Member(id: $0, name: info.name, peerAddress: info.peerAddress, clientAddress: info.clientAddress) }
  }

  static func peerInfo(_ name: String, list: [String]) -> PeerInfo {
    PeerInfo(
      name: name, peerAddress: name, clientAddress: "\(name)-client",
      initialCluster: list.map { PeerInfo.InitialMember(name: $0, peerAddress: $0) })
  }
}
