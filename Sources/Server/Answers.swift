import EtcdAPI
import Foundation

// What nodes answer, as far as the commands look at it.

struct ErrorAnswer: Decodable {
  var message: String
  var code: Int?
  var outcome: String?
  var detail: String?
}

struct RangeAnswer: Decodable {
  struct Pair: Decodable {
    var key: WireBytes
    var value: WireBytes?
  }

  var kvs: [Pair]?
  var more: Bool?
}

struct DeleteAnswer: Decodable {
  var deleted: WireInteger<Int64>?
}

struct StatusAnswer: Decodable {
  struct Header: Decodable {
    var member_id: WireInteger<UInt64>?
    var revision: WireInteger<Int64>?
  }

  struct Forming: Decodable {
    var name: String
    var awaited: [String]?
  }

  /// As the leader sees it.
  struct Follower: Decodable {
    var ID: WireInteger<UInt64>
    var lagEntries: WireInteger<UInt64>?
    var lagMilliseconds: WireInteger<Int64>?
    var contactMilliseconds: WireInteger<Int64>?
    var receivesSnapshot: Bool?
  }

  var header: Header
  var followers: [Follower]?
  /// Before the cluster has formed.
  var forming: Forming?
  var dbSize: WireInteger<Int64>?
  var leader: WireInteger<UInt64>?
  var raftIndex: WireInteger<UInt64>?
  var raftTerm: WireInteger<UInt64>?
  var raftAppliedIndex: WireInteger<UInt64>?
}

struct MembersAnswer: Decodable, Sendable {
  struct Header: Decodable, Sendable { var cluster_id: WireInteger<UInt64>? }

  struct Member: Decodable, Sendable {
    var ID: WireInteger<UInt64>
    var name: String
    var peerURLs: [String]?
    var clientURLs: [String]?
    var isLearner: Bool?
  }

  var header: Header
  var members: [Member]?
}

/// A line of a watch.
struct WatchAnswer: Decodable {
  struct Header: Decodable { var revision: WireInteger<Int64>? }

  struct Event: Decodable {
    struct Pair: Decodable {
      var key: WireBytes
      var value: WireBytes?
      var mod_revision: WireInteger<Int64>
    }

    var type: String?
    var kv: Pair
  }

  struct Result: Decodable {
    var header: Header
    var created: Bool?
    var canceled: Bool?
    var cancel_reason: String?
    var compact_revision: WireInteger<Int64>?
    var events: [Event]?
  }

  var result: Result?
  var error: ErrorAnswer?
}

struct GrantAnswer: Decodable {
  var ID: WireInteger<Int64>
  var TTL: WireInteger<Int64>
}

struct KeepAliveAnswer: Decodable {
  struct Result: Decodable { var TTL: WireInteger<Int64>? }

  var result: Result
}

struct TimeToLiveAnswer: Decodable {
  var TTL: WireInteger<Int64>?
  var grantedTTL: WireInteger<Int64>?
  var keys: [WireBytes]?
}

struct LeasesAnswer: Decodable {
  struct Lease: Decodable { var ID: WireInteger<Int64> }

  var leases: [Lease]?
}

/// What stands for who holds a lock, or is elected.
struct ClaimAnswer: Decodable {
  struct Leader: Decodable {
    var key: WireBytes
    var rev: WireInteger<Int64>
  }

  var key: WireBytes?
  var leader: Leader?
}

/// A line of an election's observer.
struct ObservedAnswer: Decodable {
  struct Result: Decodable {
    struct Pair: Decodable {
      var key: WireBytes
      var value: WireBytes?
    }

    var kv: Pair?
  }

  var result: Result?
  var error: ErrorAnswer?
}

extension Decodable {
  init(answer bytes: [UInt8]) throws(ClientError) {
    do {
      self = try JSONDecoder().decode(Self.self, from: Data(bytes))
    } catch {
      throw .malformed(String(decoding: bytes.prefix(200), as: UTF8.self))
    }
  }
}
