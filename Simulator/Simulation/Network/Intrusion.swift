import Raft
import Replica

/// Somebody who says to a node what no honest member says, over a connection of its own.
///
/// None of them has the authority's key. A member that lies in its own name is none of these: against that no majority helps.
enum Intruder: UInt64, Sendable, CaseIterable {
  /// It has no certificate of this cluster: none at all, or one of another.
  case stranger
  /// A node that says it is another one.
  case impostor
  /// A node whose data are another cluster's: somebody restored the wrong copy.
  case foreigner
  /// A node that takes this one for another.
  case stray
  /// Who left, a machine's earlier identity perhaps, says in its own name whatever it likes.
  case former
  /// Who left says once more what it said as a member.
  case echo

  /// What is counted when it was of no avail.
  var refusal: Coverage.Point {
    switch self {
    case .stranger: .strangerRefused
    case .impostor: .impostorRefused
    case .foreigner: .foreignerRefused
    case .stray: .strayRefused
    case .former: .formerMemberRefused
    case .echo: .formerMemberRepeated
    }
  }
}

/// One frame of an intruder, and what its connection has shown of it.
struct Intrusion: Sendable {
  let intruder: Intruder
  let proof: PeerProof
  let frame: Frame
}

/// Some of what was sent, the newest and older ones, as somebody may have recorded it.
struct Overheard: Sendable {
  private static let most = 128
  /// Of so many frames one is kept.
  private static let rate = 11
  /// Longer ones are not.
  private static let mostBytes = 4096

  private var count = 0
  private(set) var frames: [[UInt8]] = []

  mutating func note(_ frame: [UInt8]) {
    count += 1
    guard count % Self.rate == 0, frame.count <= Self.mostBytes else { return }
    if frames.count < Self.most { frames.append(frame) } else { frames[count / Self.rate % Self.most] = frame }
  }
}

extension Frame {
  /// The same, said by somebody to somebody.
  func said(by sender: NodeID, to receiver: NodeID?, of cluster: ClusterID?) -> Frame {
    guard case .message(let message) = body else { return Frame(cluster: cluster, from: sender, to: receiver, body: body) }
    let same = Message(from: sender, to: receiver ?? message.to, term: message.term, body: message.body)
    return Frame(cluster: cluster, from: sender, to: same.to, body: .message(same))
  }
}
