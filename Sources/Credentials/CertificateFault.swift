import Foundation

/// Why a certificate is not accepted.
public enum CertificateFault: Error, Hashable, Sendable, CustomStringConvertible {
  case none
  case malformed
  /// Not signed by this cluster's authority.
  case foreign
  case expired(at: Date, now: Date)
  case notYetValid(from: Date, now: Date)
  /// It names nobody whom this cluster knows.
  case namesNobody
  /// It is good, but not for what was tried.
  case wrongParty(CertifiedIdentity)

  /// For a metric.
  public var label: String {
    switch self {
    case .none: "no_certificate"
    case .malformed: "malformed_certificate"
    case .foreign: "foreign_certificate"
    case .expired: "expired_certificate"
    case .notYetValid: "certificate_not_yet_valid"
    case .namesNobody: "certificate_names_nobody"
    case .wrongParty: "certificate_of_another"
    }
  }

  public var description: String {
    switch self {
    case .none: "it showed no certificate"
    case .malformed: "its certificate cannot be read"
    case .foreign: "its certificate is not from this cluster's authority"
    case .expired(let end, let now):
      "its certificate ended at \(Self.text(end)), and this machine's clock says \(Self.text(now)): if that is wrong, set the clock"
    case .notYetValid(let start, let now):
      "its certificate begins at \(Self.text(start)), and this machine's clock says \(Self.text(now)): one of the two clocks is wrong"
    case .namesNobody: "its certificate names neither a node nor a client of this cluster"
    case .wrongParty(let identity): "its certificate is that of \(identity)"
    }
  }

  private static func text(_ date: Date) -> String { date.formatted(.iso8601) }
}
