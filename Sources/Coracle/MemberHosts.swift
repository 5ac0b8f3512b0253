/// From where members have come, so that strangers do not push them out while they begin anew.
struct MemberHosts {
  /// Addresses that are remembered; the one that is remembered for longest goes.
  static let maximum = 64

  private var hosts: [String] = []

  mutating func insert(_ host: String?) {
    guard let host else { return }
    hosts.removeAll { $0 == host }
    hosts.append(host)
    if hosts.count > Self.maximum { hosts.removeFirst() }
  }

  /// Of connections over which no member has spoken yet, the one to close for another's sake: the oldest from the address that holds most
  /// of them, from where no member has come if there is such a one.
  func mostDispensable(of connections: [PeerConnection]) -> PeerConnection? {
    let strangers = connections.filter { connection in !hosts.contains { $0 == connection.host } }
    let candidates = strangers.isEmpty ? connections : strangers
    let counts = Dictionary(grouping: candidates, by: \.host).mapValues(\.count)
    let most = counts.values.max()
    return candidates.filter { counts[$0.host] == most }.min { $0.id < $1.id }
  }
}
