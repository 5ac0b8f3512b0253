/// What an import did: every row is counted, and the first refusals are kept with their reasons.
public struct ImportSummary: Hashable, Sendable {
  public struct Refusal: Hashable, Sendable {
    public var line: Int
    public var reason: LinkError

    public init(line: Int, reason: LinkError) {
      self.line = line
      self.reason = reason
    }
  }

  public enum Outcome: Hashable, Sendable {
    case created
    /// There was such a link with the same target already. So an import that stopped half-way may simply be repeated.
    case same
    case refused(LinkError)
  }

  /// Refusals kept with their reasons.
  public static let maximumRefusals = 100

  public private(set) var created = 0
  public private(set) var same = 0
  public private(set) var refused = 0
  public private(set) var refusals: [Refusal] = []

  public init() {}

  public mutating func record(line: Int, _ outcome: Outcome) {
    switch outcome {
    case .created: created += 1
    case .same: same += 1
    case .refused(let reason):
      refused += 1
      if refusals.count < Self.maximumRefusals { refusals.append(Refusal(line: line, reason: reason)) }
    }
  }
}

extension ImportSummary.Outcome {
  /// What became of a row, from what became of its create. Visits and time of a link that was there already stay as they are.
  public init(of row: LinkRow, _ creation: LinkShortener.Creation) {
    switch creation {
    case .created: self = .created
    case .exists(let existing): self = existing.link.target == row.target ? .same : .refused(.taken(row.slug))
    }
  }
}
