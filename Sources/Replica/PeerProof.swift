import Raft

/// What a connection has shown of its other side, before anything that it says is believed.
package enum PeerProof: Sendable, Hashable {
  /// Plain text: whoever reaches the port is believed.
  case plainText
  /// No certificate of this cluster that names a node, or none yet.
  case nobody
  /// The certificate of this node.
  case node(NodeID)

  /// Whether a frame may come over the connection: its sender is whom the connection has shown. Which cluster it is of, and for whom, the
  /// replica looks at itself, since it does so in plain text too.
  package func admits(_ frame: [UInt8]) -> Bool {
    switch self {
    case .plainText: true
    case .nobody: false
    case .node(let node): Frame.sender(of: frame) == node
    }
  }
}
