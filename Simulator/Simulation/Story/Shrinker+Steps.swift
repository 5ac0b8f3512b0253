import Raft

extension Story.Action {
  /// The nodes that it names.
  var names: [String] {
    switch self {
    case .operation(_, let name, _): [name]
    case .fault(let fault):
      switch fault.target {
      case .leader: [fault.harm.other].compactMap(\.self)
      case .node(let name): [name, fault.harm.other].compactMap(\.self)
      }
    }
  }

  /// How much there is to read and to think about: what is simpler has less.
  var size: Int64 {
    switch self {
    case .operation(let number, _, let timeout): Int64(clamping: number) + (timeout == Self.usualTimeout ? 0 : 1)
    case .fault(let fault): fault.size
    }
  }

  private static var usualTimeout: Nanoseconds { .milliseconds(1000) }

  /// Simpler things to try in its place, as the step number `place` of a story.
  func simpler(at place: Int, names: [String]) -> [Story.Action] {
    switch self {
    case .operation(let number, let name, let timeout):
      let small = UInt64(place + 1)
      return [
        .operation(number: small, on: name, timeout: Self.usualTimeout), .operation(number: small, on: name, timeout: timeout),
        .operation(number: number, on: name, timeout: Self.usualTimeout),
      ]
    case .fault(let fault): return fault.simpler(names: names).map(Story.Action.fault)
    }
  }
}

extension Fault {
  var size: Int64 {
    let rank = Int64(Self.milder.count { $0.from == kind }) * 4 + (target == .leader ? 2 : 0) + (harm.losesPower ? 1 : 0)
    let time = duration / .milliseconds(1) + (duration % .milliseconds(1) == .zero ? 0 : 1)
    return rank + min(Int64(clamping: harm.amount.magnitude), .max / 4) + time
  }

  func simpler(names: [String]) -> [Fault] {
    var faults: [Fault] = []
    func add(_ change: (inout Fault) -> Void) {
      var fault = self
      change(&fault)
      faults.append(fault)
    }
    // Of another kind, or by no other amount, it is a fault that loses no power.
    func changed(to kind: Kind? = nil, by amount: Int64? = nil) -> Harm {
      Harm(kind ?? self.kind, by: amount ?? harm.amount, to: harm.other ?? "", losingPower: harm.losesPower && amount != nil)
    }
    for (from, to) in Self.milder where from == kind { add { $0.harm = changed(to: to) } }
    if harm.losesPower { add { $0.harm = changed() } }
    if target == .leader { for name in names { add { $0.target = .node(name) } } }
    let half = max(.milliseconds(10), (duration / 2).inWholeMilliseconds)
    for shorter in [.milliseconds(10), .milliseconds(100), .milliseconds(1000), half, duration.inWholeMilliseconds]
    where shorter < duration { add { $0.duration = shorter } }
    for smaller in [0, 1, harm.amount / 2] { add { $0.harm = changed(by: smaller) } }
    return faults
  }

  /// What is worse, and what is like it but milder.
  private static let milder: [(from: Kind, to: Kind)] = [
    (.powerLoss, .crash), (.totalPowerLoss, .powerLoss), (.totalPowerLoss, .crash), (.powerLossAtWork, .crashAtWork),
    (.powerLossAtWork, .crash), (.crashAtWork, .crash), (.crashThenPowerLoss, .powerLossAtWork), (.crashThenPowerLoss, .crashAtWork),
    (.crashThenPowerLoss, .crash), (.restartStorm, .crash), (.suspend, .pause),
  ]
}
