import Raft

/// A fault's values as the text of a story has them, and as they are drawn and made smaller: one number after `by`, the other end of a link
/// after `to`, and `losing power`.
extension Fault.Harm {
  /// What is out of bounds is brought to the nearest that is not: any text makes a run that works.
  init(_ kind: Fault.Kind, by amount: Int64, to other: String = "", losingPower: Bool = false) {
    func number(_ range: ClosedRange<Int64>) -> Int64 { min(max(amount, range.lowerBound), range.upperBound) }
    func count(_ most: Int64) -> Int { Int(number(0...most)) }
    self =
      switch kind {
      case .crash: .crash
      case .powerLoss: .powerLoss
      case .totalPowerLoss: .totalPowerLoss
      case .crashAtWork: .crashAtWork(afterCalls: count(1_000_000))
      case .powerLossAtWork: .powerLossAtWork(afterCalls: count(1_000_000))
      case .crashDuringRecovery: .crashDuringRecovery(afterCalls: count(1_000_000), losingPower: losingPower)
      case .crashThenPowerLoss: .crashThenPowerLoss(afterCalls: count(1_000_000))
      case .stop: .stop
      case .restartStorm: .restartStorm(every: .milliseconds(number(1...10_000)))
      case .pause: .pause
      case .suspend: .suspend
      case .slowNode: .slowNode(turns: .microseconds(number(0...1_000_000)))
      case .isolation: .isolation
      case .oneWayCut: .oneWayCut(to: other)
      case .halfDeaf: .halfDeaf(hears: amount == 0)
      case .minority: .minority(oneFewer: amount != 0)
      case .partition: .partition(side: UInt64(bitPattern: amount))
      case .bridge: .bridge(side: UInt64(bitPattern: amount))
      case .ring: .ring
      case .flapping: .flapping(with: other, every: .milliseconds(number(1...10_000)))
      case .clog: .clog(to: other)
      case .loss: .loss(perMille: count(1000))
      case .duplication: .duplication(perMille: count(1000))
      case .echo: .echo(upTo: .milliseconds(number(0...100_000)))
      case .corruption: .corruption(perMille: count(1000))
      case .slowNetwork: .slowNetwork(upTo: .milliseconds(number(0...100_000)))
      case .narrowNetwork: .narrowNetwork(kilobytesPerSecond: count(Int64(Story.maximumLinkKilobytes)))
      case .slowDisk: .slowDisk(upTo: .milliseconds(number(0...100_000)))
      case .stalledDisk: .stalledDisk
      case .fullDisk: .fullDisk(bytesLeft: count(1 << 40))
      case .failedWrite: .failedWrite(afterCalls: count(1_000_000))
      case .failedSync: .failedSync(afterCalls: count(1_000_000))
      case .failedName: .failedName(afterCalls: count(1_000_000))
      case .failedRead: .failedRead(afterCalls: count(1_000_000))
      case .rot: .rot(seed: UInt64(bitPattern: amount))
      case .misdirectedWrite: .misdirectedWrite(seed: UInt64(bitPattern: amount))
      case .wipedDisk: .wipedDisk
      case .drift: .drift(perMillion: number(-500_000...500_000))
      case .wrongList: .wrongList(missing: 1 + count(1))
      case .intrusion: .intrusion(seed: UInt64(bitPattern: amount))
      case .transfer: .transfer(to: other)
      case .join: .join(waits: amount != 0)
      case .promote: .promote
      case .remove: .remove
      case .replace: .replace(by: other)
      case .move: .move
      case .moveAll: .moveAll
      }
  }

  public var kind: Fault.Kind {
    switch self {
    case .crash: .crash
    case .powerLoss: .powerLoss
    case .totalPowerLoss: .totalPowerLoss
    case .crashAtWork: .crashAtWork
    case .powerLossAtWork: .powerLossAtWork
    case .crashDuringRecovery: .crashDuringRecovery
    case .crashThenPowerLoss: .crashThenPowerLoss
    case .stop: .stop
    case .restartStorm: .restartStorm
    case .pause: .pause
    case .suspend: .suspend
    case .slowNode: .slowNode
    case .isolation: .isolation
    case .oneWayCut: .oneWayCut
    case .halfDeaf: .halfDeaf
    case .minority: .minority
    case .partition: .partition
    case .bridge: .bridge
    case .ring: .ring
    case .flapping: .flapping
    case .clog: .clog
    case .loss: .loss
    case .duplication: .duplication
    case .echo: .echo
    case .corruption: .corruption
    case .slowNetwork: .slowNetwork
    case .narrowNetwork: .narrowNetwork
    case .slowDisk: .slowDisk
    case .stalledDisk: .stalledDisk
    case .fullDisk: .fullDisk
    case .failedWrite: .failedWrite
    case .failedSync: .failedSync
    case .failedName: .failedName
    case .failedRead: .failedRead
    case .rot: .rot
    case .misdirectedWrite: .misdirectedWrite
    case .wipedDisk: .wipedDisk
    case .drift: .drift
    case .wrongList: .wrongList
    case .intrusion: .intrusion
    case .transfer: .transfer
    case .join: .join
    case .promote: .promote
    case .remove: .remove
    case .replace: .replace
    case .move: .move
    case .moveAll: .moveAll
    }
  }

  var amount: Int64 {
    switch self {
    case .crash, .powerLoss, .totalPowerLoss, .stop, .pause, .suspend, .isolation, .oneWayCut, .ring, .clog, .stalledDisk, .wipedDisk,
      .transfer, .promote, .remove, .replace, .move, .moveAll:
      0
    case .crashAtWork(let count), .powerLossAtWork(let count), .crashDuringRecovery(let count, _), .crashThenPowerLoss(let count),
      .failedWrite(let count), .failedSync(let count), .failedName(let count), .failedRead(let count):
      Int64(count)
    case .loss(let count), .duplication(let count), .corruption(let count), .narrowNetwork(let count), .fullDisk(let count): Int64(count)
    case .restartStorm(let time), .flapping(_, let time), .echo(let time), .slowNetwork(let time), .slowDisk(let time):
      time / .milliseconds(1)
    case .slowNode(let time): time / .microseconds(1)
    case .halfDeaf(let hears): hears ? 0 : 1
    case .minority(let oneFewer): oneFewer ? 1 : 0
    case .partition(let bits), .bridge(let bits), .rot(let bits), .misdirectedWrite(let bits), .intrusion(let bits):
      Int64(bitPattern: bits)
    case .drift(let rate): rate
    case .wrongList(let missing): Int64(missing) - 1
    case .join(let waits): waits ? 1 : 0
    }
  }

  /// The other node that it names: the other end of a link, or whom an operator names.
  var other: String? {
    switch self {
    case .oneWayCut(let name), .flapping(let name, _), .clog(let name): name
    case .transfer(let name), .replace(let name): name.isEmpty ? nil : name
    default: nil
    }
  }

  /// The other end, for faults of a link.
  var otherEnd: String? { kind.hasOther ? other : nil }

  var losesPower: Bool {
    if case .crashDuringRecovery(_, let losingPower) = self { losingPower } else { false }
  }
}
