extension Scenario {
  /// Every scenario there is, in the order in which a newcomer may want to read them.
  public static let all: [Scenario] = [
    headSplit, contactLists, powerLossWhileForming,
    masterDies, twoOfThreeLost, wholeClusterPowerLoss, frozenLeaderWakes,
    halfDeafLeader, bridgePartition, ringPartition, onlyOneSeesAll, forgetfulCandidate, flappingLink, staleMinorityReads,
    narrowLine,
    operatorTransfer, rollingRestart, preemptionStorm, stalledDiskLeader, fullDiskLeader,
    joinsUnderFire, snapshotDuringMembershipChange, reconfigureUnderPartition, allAddressesChange,
    tornTail, rottenLog, wipedNodeReturns, stragglerReturns,
    figure8,
  ]

  public static func named(_ name: String) -> Scenario? { all.first { $0.name == name } }

  /// Names that whoever typed `name` may have meant, the nearest first.
  public static func suggestions(for name: String) -> [String] {
    let near = all.map { (name: $0.name, distance: distance(name, $0.name)) }.filter { item in
      item.distance <= 1 + name.count / 3 || item.name.split(separator: "-").contains { name.split(separator: "-").contains($0) }
    }
    return near.sorted { ($0.distance, $0.name) < ($1.distance, $1.name) }.prefix(3).map(\.name)
  }

  /// How many letters have to be added, dropped or changed to make one of the other (Levenshtein).
  private static func distance(_ left: String, _ right: String) -> Int {
    let right = Array(right)
    var row = Array(0...right.count)
    for (i, letter) in left.enumerated() {
      var diagonal = row[0]
      row[0] = i + 1
      for j in right.indices {
        let change = diagonal + (right[j] == letter ? 0 : 1)
        diagonal = row[j + 1]
        row[j + 1] = min(change, row[j] + 1, diagonal + 1)
      }
    }
    return row[right.count]
  }
}
