/// The demo's ports on loopback: ten numbers for each node, the first three of them used.
struct DemoPorts {
  static let defaultBase = 2379

  var client: Int
  var peer: Int
  var links: Int

  init(base: Int, node: Int) {
    client = base + 10 * node
    peer = client + 1
    links = client + 2
  }

  static func clients(base: Int, nodes: Int) -> [Int] { (0..<nodes).map { DemoPorts(base: base, node: $0).client } }
}
