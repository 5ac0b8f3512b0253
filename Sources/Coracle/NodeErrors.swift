import ByteCoding
import WriteAheadLog

/// Why a node did not start. Nothing was left running; start another one once the cause is gone.
public enum StartError: Error, Sendable, CustomStringConvertible {
  /// `run` was called before on this node.
  case hasRunBefore
  case dataDirectory(PosixDiskError)
  case storage(StorageError)
  /// The data directory is another node's.
  case wrongName(configured: String, found: String, directory: String)
  /// What the log holds cannot be that of a node, although its bytes are as they were written.
  case recovery(MalformedBytes)
  case addressInUse(HostPort)
  /// The address cannot be listened on, for another reason, in the system's words.
  case listen(HostPort, reason: String)

  public var description: String {
    switch self {
    case .hasRunBefore: "a node runs once: make another one to run it again"
    case .dataDirectory(let error): error.description
    case .storage(let error): error.description
    case .wrongName(let configured, let found, let directory):
      "the data directory \(directory) is of node \(found), and this is node \(configured): use its own directory, or the name it has"
    case .recovery(let error):
      "the log cannot be replayed: \(error). Was the data written by another release?"
    case .addressInUse(let address):
      "\(address) is in use by another program: stop that one, or choose another port"
    case .listen(let address, let reason):
      "cannot listen on \(address): \(reason)"
    }
  }
}

/// Why a node that ran has stopped by itself.
public enum NodeError: Error, Equatable, Sendable, CustomStringConvertible {
  /// The disk failed. What was acknowledged is safe; the text says what to do.
  case storage(String)
  /// The cluster does not take this node, and a restart will not change that; the text says what to do.
  case refusedByCluster(String)
  /// A leader has something else than what is committed here: data is lost, or of two clusters. The text says what to do.
  case contradiction(String)

  /// The node was removed from its cluster, for good.
  case removed

  public var description: String {
    switch self {
    case .removed:
      "the node stopped because it is no member any more: delete its data directory, or keep it as a copy; to have the server back, "
        + "start it with an empty directory, to join"
    case .storage(let text): "the node stopped because its storage failed: \(text)"
    case .refusedByCluster(let text): "the node stopped because it cannot take part in the cluster: \(text)"
    case .contradiction(let text): "the node stopped because what is committed is not the same everywhere: \(text)"
    }
  }
}
