import Foundation
import NIOConcurrencyHelpers
import NIOSSL
import X509

/// A certificate of the operator's that a port shows: of a company's authority, or of a public one that browsers know. Its files are read
/// again whenever `refresh` is called; connections that are open go on, later ones are shown what is new.
public final class OwnCertificate: Sendable {
  /// Who is shown it.
  public enum Use: Sendable {
    /// Who asks for one of its host names. Others are shown the cluster's.
    case underItsNames
    /// Everybody.
    case always
  }

  private struct Shown {
    var contents: CertificateFiles.Contents
    var certificate: Certificate
    /// In small letters.
    var names: [String]
    var override: NIOSSLContextConfigurationOverride
    var context: NIOSSLContext
  }

  public let files: CertificateFiles
  private let use: Use
  private let shown: NIOLockedValueBox<Shown>

  /// Reads the files. One that has ended is taken too: whoever runs the port decides what that means.
  public init(_ files: CertificateFiles, _ use: Use) throws(CertificateFilesError) {
    self.files = files
    self.use = use
    shown = NIOLockedValueBox(try Self.shown(try files.read(), files, use))
  }

  /// Until when it is valid.
  public var end: Date { shown.withLockedValue { $0.certificate.notValidAfter } }

  /// Of its life, what should be left when somebody has renewed it: a sixth, but at most two weeks.
  public var usualRest: TimeInterval {
    let certificate = shown.withLockedValue { $0.certificate }
    return min(certificate.notValidAfter.timeIntervalSince(certificate.notValidBefore) / 6, 14 * 86400)
  }

  /// Reads the files once more. What they hold is shown from now on if it can be; if it cannot, what was shown before is.
  ///
  /// - Returns: Whether they have changed.
  public func refresh() throws(CertificateFilesError) -> Bool {
    let contents = try files.read()
    guard contents != shown.withLockedValue({ $0.contents }) else { return false }
    let new = try Self.shown(contents, files, use)
    shown.withLockedValue { $0 = new }
    return true
  }

  private static func shown(
    _ contents: CertificateFiles.Contents, _ files: CertificateFiles, _ use: Use
  ) throws(CertificateFilesError) -> Shown {
    let (certificates, key) = try files.pair(contents)
    let names = hostNames(of: certificates[0])
    guard use == .always || !names.isEmpty else { throw .namesNoHost(files.certificate) }
    do {
      let chain = try certificates.map { NIOSSLCertificateSource.certificate(try NIOSSLCertificate(bytes: try $0.der, format: .der)) }
      let privateKey = NIOSSLPrivateKeySource.privateKey(
        try NIOSSLPrivateKey(bytes: Array(try key.serializeAsPEM().pemString.utf8), format: .pem))
      var override = NIOSSLContextConfigurationOverride()
      override.certificateChain = chain
      override.privateKey = privateKey
      var configuration = TLSConfiguration.makeServerConfiguration(certificateChain: chain, privateKey: privateKey)
      configuration.minimumTLSVersion = .tlsv12
      configuration.applicationProtocols = ["http/1.1"]
      return Shown(
        contents: contents, certificate: certificates[0], names: names, override: override,
        context: try NIOSSLContext(configuration: configuration))
    } catch {
      throw .unusable(files.certificate)
    }
  }

  private static func hostNames(of certificate: Certificate) -> [String] {
    guard let names = try? certificate.extensions.subjectAlternativeNames else { return [] }
    return names.compactMap { name in
      guard case .dnsName(let host) = name else { return nil }
      return host.lowercased()
    }
  }

  // MARK: Showing it

  /// For a port that shows nothing else, and asks for no certificate.
  package func serverHandler() -> NIOSSLServerHandler { NIOSSLServerHandler(context: shown.withLockedValue { $0.context }) }

  /// What a client is shown that asks for this name; `nil` for the cluster's certificate.
  func override(for name: String?) -> NIOSSLContextConfigurationOverride? {
    guard let name = name?.lowercased() else { return nil }
    return shown.withLockedValue { shown in shown.names.contains { Self.matches($0, name) } ? shown.override : nil }
  }

  /// A star stands for one label, the first (RFC 9525, section 6.3).
  private static func matches(_ pattern: String, _ name: String) -> Bool {
    guard pattern.hasPrefix("*.") else { return pattern == name }
    guard let dot = name.firstIndex(of: "."), dot > name.startIndex else { return false }
    return pattern.dropFirst() == name[dot...]
  }
}
