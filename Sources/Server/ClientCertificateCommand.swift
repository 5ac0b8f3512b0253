import ArgumentParser
import Credentials
import EtcdAPI
import Foundation

struct ClientCertificateCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "client-cert", abstract: "Make a client's certificate, in a directory of its own.",
    discussion: """
      Run it on a server of the cluster, as the user of its node. The directory gets ca.crt, client.crt and client.key, as curl \
      (--cacert, --cert, --key), etcdctl and `coracle --credentials DIR` take them. The key is made here, and leaves this machine only if \
      you carry it. Where there are users, the name is that of the user.
      """)

  @OptionGroup var client: ClientOptions
  @Argument(help: "The client's name.") var name: String
  @Option(help: "The directory; made if it is missing.") var out: String
  @Option(help: "For how many days it is valid.") var days = 90.0

  func run() async throws {
    let key = KeyPair()
    let body = try JSONEncoder().encode(
      CertificationCalls.ClientRequest(name: name, request: try key.request(), seconds: days * 86400))
    try await client.administer(.clientCertificate, body) { bytes throws(ClientError) in
      let answer = try CertificationCalls.ClientAnswer(answer: bytes)
      do {
        let directory = SecretDirectory(path: out)
        try directory.write(NodeSecrets.authoritiesFile, Array(answer.authorities.utf8))
        try directory.write(ClientCredentials.keyFile, Array(key.pem.utf8))
        try directory.write(ClientCredentials.certificateFile, Array(answer.certificates.utf8))
      } catch {
        throw ClientError.refused("\(error)")
      }
      try Output.line("\(out): a certificate for \(name)")
    }
  }
}
