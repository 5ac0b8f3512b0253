import Credentials
import Foundation
import Logging
import Metrics
import ServiceLifecycle

/// The certificates that the operator gave for the ports of this node.
struct OwnCertificates {
  private(set) var clients: OwnCertificate?
  private(set) var links: OwnCertificate?
  private(set) var watches: [any Service] = []

  /// Reads their files. Throws if they cannot be used.
  init(_ configuration: ServeConfiguration, logger: Logger) throws {
    clients = try configuration.clientCertificate.map { try OwnCertificate($0, .underItsNames) }
    links = try configuration.linksCertificate.map { try OwnCertificate($0, .always) }
    for (port, certificate) in [("clients", clients), ("links", links)] {
      if let certificate { watches.append(OwnCertificateWatch(certificate, port: port, logger: logger)) }
    }
  }
}

/// Looks at the files of one certificate as long as the node runs.
struct OwnCertificateWatch: Service {
  private let keeper: CertificateKeeper
  private let logger: Logger
  private let ends: Gauge

  private static let interval = Duration.seconds(1)

  init(_ certificate: OwnCertificate, port: String, logger: Logger) {
    keeper = CertificateKeeper(certificate)
    var logger = logger
    logger[metadataKey: "port"] = "\(port)"
    logger[metadataKey: "file"] = "\(certificate.files.certificate)"
    self.logger = logger
    ends = Gauge(label: "coracle_own_certificate_end_seconds", dimensions: [("port", port)])
  }

  func run() async throws {
    do {
      try await cancelWhenGracefulShutdown {
        var keeper = keeper
        while true {
          for finding in keeper.look(now: Date()) { say(finding) }
          ends.record(keeper.certificate.end.timeIntervalSince1970)
          try await Task.sleep(for: Self.interval)
        }
      }
    } catch is CancellationError {}
  }

  private func say(_ finding: CertificateKeeper.Finding) {
    switch finding {
    case .new(let end):
      logger.notice("shows the new certificate of these files", metadata: ["valid_until": "\(end.formatted(.iso8601))"])
    case .unusable(let error):
      logger.warning(
        "these files have changed and cannot be used; the certificate of before is shown, and they are looked at again",
        metadata: ["reason": "\(error)"])
    case .endsSoon(let end):
      logger.warning("the certificate ends soon, and nobody has renewed it", metadata: ["valid_until": "\(end.formatted(.iso8601))"])
    case .ended(let end):
      logger.error(
        "the certificate has ended: clients refuse it; renew it, or set this machine's clock",
        metadata: ["valid_until": "\(end.formatted(.iso8601))"])
    }
  }
}

/// What is to be said of a certificate and its files: what is new at once, the same trouble again only after a while.
struct CertificateKeeper: Sendable {
  enum Finding: Hashable, Sendable {
    /// The files have changed, and what they hold is shown: until when it is valid.
    case new(Date)
    case unusable(CertificateFilesError)
    case endsSoon(Date)
    case ended(Date)
  }

  /// The same trouble is told once in this time, in seconds: of files, and of a certificate's end.
  private static let silence = (files: 3600.0, end: 86400.0)

  let certificate: OwnCertificate
  private var trouble: (finding: Finding, told: Date)?
  private var end: (finding: Finding, told: Date)?

  init(_ certificate: OwnCertificate) { self.certificate = certificate }

  mutating func look(now: Date) -> [Finding] {
    var findings: [Finding] = []
    do {
      if try certificate.refresh() { findings.append(.new(certificate.end)) }
      trouble = nil
    } catch {
      findings += Self.due(.unusable(error), &trouble, now, Self.silence.files)
    }
    let rest = certificate.end.timeIntervalSince(now)
    if rest < certificate.usualRest {
      findings += Self.due(rest < 0 ? .ended(certificate.end) : .endsSoon(certificate.end), &end, now, Self.silence.end)
    } else {
      end = nil
    }
    return findings
  }

  private static func due(
    _ finding: Finding, _ last: inout (finding: Finding, told: Date)?, _ now: Date, _ silence: TimeInterval
  ) -> [Finding] {
    if let last, last.finding == finding, now.timeIntervalSince(last.told) < silence { return [] }
    last = (finding, now)
    return [finding]
  }
}
