import Coracle
import Foundation

/// How many files a process may have open, and how the ports share them, so that connections never take those that the log needs.
struct DescriptorShares: Equatable {
  /// Kept for the node's files, its event loops, and connections that are only told that there are too many.
  static let reserve = 128
  /// Fewer are of no use.
  static let minimum = reserve + NodeConfiguration.maximumPeerConnections + 64
  /// Beyond this the ports' own bounds count.
  private static let enough = 65_536

  /// Connections that the client port, and the port for links, take at most.
  let clients: Int
  let links: Int

  /// - Parameter limit: Files that the process may have open. Throws if that is too few.
  init(limit: Int, servesLinks: Bool) throws(TooFewDescriptors) {
    guard limit >= Self.minimum else { throw TooFewDescriptors(limit: limit) }
    let shared = limit - Self.reserve - NodeConfiguration.maximumPeerConnections
    links = servesLinks ? min(shared / 3, 4096) : 0
    clients = min(shared - links, 8192)
  }

  /// Raises the limit of open files as far as this process may. Returns what it is then.
  static func raiseLimit() -> Int {
    #if canImport(Darwin)
      let resource = RLIMIT_NOFILE
      // `setrlimit` takes no more there, whatever the hard limit says.
      let most = min(enough, Int(OPEN_MAX))
    #else
      let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
      let most = enough
    #endif
    var limit = rlimit()
    guard getrlimit(resource, &limit) == 0 else { return 1024 }
    let wanted = min(limit.rlim_max, rlim_t(most))
    if limit.rlim_cur < wanted {
      var raised = limit
      raised.rlim_cur = wanted
      if setrlimit(resource, &raised) == 0 { limit = raised }
    }
    return Int(min(limit.rlim_cur, rlim_t(most)))
  }
}

struct TooFewDescriptors: Error, Equatable, CustomStringConvertible {
  let limit: Int

  var description: String {
    "at most \(limit) files may be open, and a node needs \(DescriptorShares.minimum): raise the limit (ulimit -n, or LimitNOFILE=)"
  }
}
