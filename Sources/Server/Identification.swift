import Coracle
import Credentials
import Foundation
import Logging
import Raft
import WriteAheadLog

/// How a node that is to talk encrypted comes to its certificate before it starts: it has one, or makes the authority of a new cluster, or
/// is let into a cluster with a token.
struct Identification {
  struct Result {
    let certification: Certification
    /// The authority was made just now.
    var isNew = false
  }

  private let configuration: ServeConfiguration
  private let logger: Logger

  init(_ configuration: ServeConfiguration, _ logger: Logger) {
    (self.configuration, self.logger) = (configuration, logger)
  }

  private var directory: String { configuration.node.dataDirectory }

  /// `nil` for a node that is to talk in plain text.
  func certification(_ join: Join?) async throws -> Result? {
    let secrets = NodeSecrets(dataDirectory: directory)
    if configuration.isEncrypted {
      // It may be reached by a link, which is open to everybody.
      try SecretDirectory(path: URL(fileURLWithPath: directory).resolvingSymlinksInPath().path).create()
    }
    if let join, let token = join.token, !hasCertificate(of: token, secrets) {
      let node = try identity()
      let enrollment = Enrollment(endpoint: join.endpoint, token: token, key: try secrets.joiningKey(), domain: secrets.domain())
      let contents = try await enrollment.enroll(node, names: names)
      try secrets.save(contents, at: Date())
      return Result(certification: try certification(contents, secrets, node))
    }
    if let contents = try secrets.load() {
      guard configuration.isEncrypted || !configuration.isReachable else {
        throw IdentificationError(text: "\(directory) is that of a node that talks encrypted: leave --insecure out")
      }
      return Result(certification: try certification(contents, secrets, try identity()))
    }
    guard configuration.isEncrypted else { return nil }
    if join != nil {
      throw IdentificationError(text: "it has no token: say --token, as `coracle token create` prints it on a server of the cluster")
    }
    guard !Join.hasALog(directory) else {
      throw IdentificationError(text: "the cluster of \(directory) was formed in plain text, and has no authority: say --insecure")
    }
    let made = try Certification.found(in: secrets, node: try identity(), names: names, settings: settings, logger: logger)
    return Result(certification: made, isNew: true)
  }

  /// Whether the node has credentials of the authority that the token names: then it was let in before, or follows that authority since. If
  /// not, what it has is lost, or of an authority that counts no more.
  private func hasCertificate(of token: JoinToken, _ secrets: NodeSecrets) -> Bool {
    guard let authorities = try? secrets.load()?.authorities.certificates() else { return false }
    return authorities.contains { (try? Authority.pin(of: $0)) == token.pin }
  }

  private var settings: Certification.Settings {
    var settings = Certification.Settings()
    settings.nodeLife = configuration.certificateLife
    return settings
  }

  private func certification(_ contents: NodeSecrets.Contents, _ secrets: NodeSecrets, _ node: UInt64) throws -> Certification {
    try Certification(contents, in: secrets, node: node, names: names, settings: settings, logger: logger)
  }

  /// At which others reach this node.
  private var names: [String] {
    let node = configuration.node
    let advertised = [node.advertisedPeerAddress ?? node.peerAddress, try? HostPort(node.advertisedClientAddress)]
    let hosts = advertised.compactMap { $0 }.filter { !$0.isUnspecified }.map(\.host) + ["localhost", "127.0.0.1", "::1"]
    return hosts.reduce(into: []) { if !$0.contains($1) { $0.append($1) } }
  }

  /// The identity that the data directory was born with, or is born with now.
  private func identity() throws -> UInt64 {
    let disk = try PosixDisk(path: directory)
    defer { disk.unlock() }
    if let identity = try DataDirectory.load(disk).identity { return identity.node.rawValue }
    let newborn = NodeID(.random(in: 1 ... .max))
    try DataDirectory.write(IdentityRecord(node: newborn, name: configuration.node.name, phase: .undecided), to: disk)
    return newborn.rawValue
  }
}

struct IdentificationError: Error, CustomStringConvertible {
  let text: String

  var description: String { text }
}
