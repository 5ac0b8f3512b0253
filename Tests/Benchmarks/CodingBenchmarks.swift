import ByteCoding
import KeyValue
import Raft
import Replica

/// Bytes of the wire and of commands, and the checksum that all formats share.
enum CodingBenchmarks {
  static let all = frames + requests + checksums

  private static let entries = Entry.batch(of: [Bytes](repeating: CoreBenchmarks.payload, count: 100), kind: .command, first: 2, term: 2)
  private static let position = LogPosition(index: 1, term: 2)

  private static func frame(_ body: Message.Body) -> Frame {
    let (from, to) = (CoreBenchmarks.nodes[0], CoreBenchmarks.nodes[1])
    return Frame(cluster: ClusterID(1), from: from, to: to, body: .message(Message(from: from, to: to, term: 2, body: body)))
  }

  private static let append = frame(.append(previous: position, entries: entries, commit: 1))
  private static let heartbeat = frame(.heartbeat(round: 1, commit: 2, confirmed: 3))

  private static var frames: [Benchmark] {
    let (append, heartbeat) = (append, heartbeat)
    let (appendBytes, heartbeatBytes) = (append.encoded()[...], heartbeat.encoded()[...])
    return [
      repeated("frame, append of 100 entries, encode", "entry", count: 2000, weight: 100) { append.encoded().count },
      repeated("frame, append of 100 entries, decode", "entry", count: 2000, weight: 100) {
        try Frame(decoding: appendBytes).from.rawValue == 1 ? 1 : 0
      },
      repeated("frame, heartbeat, encode", "frame", count: 200_000) { heartbeat.encoded().count },
      repeated("frame, heartbeat, decode", "frame", count: 200_000) { try Frame(decoding: heartbeatBytes).from.rawValue == 1 ? 1 : 0 },
      repeated("entries of 100 bytes, made in batches of 100", "entry", count: 2000, weight: 100) {
        Entry.batch(of: [Bytes](repeating: CoreBenchmarks.payload, count: 100), kind: .command, first: 2, term: 2).count
      },
    ]
  }

  private static var requests: [Benchmark] {
    let put = Request.put(PutRequest(key: Array("key-000000000001".utf8), value: Value(repeating: 5, count: 100)))
    let bytes = put.encoded()[...]
    return [
      repeated("put request, encode", "request", count: 200_000) { put.encoded().count },
      repeated("put request, decode", "request", count: 200_000) {
        if case .put(let request) = try Request(decoding: bytes) { request.key.count } else { 0 }
      },
    ]
  }

  private static var checksums: [Benchmark] {
    [512, 64 << 10].map { size in
      let bytes = (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 7 + 1) }
      return repeated("CRC-32C of \(size) bytes", "KiB", count: (32 << 20) / size, of: size, per: 1024) {
        Int(CRC32C.checksum(bytes) | 1)
      }
    }
  }

  /// `body` again and again; each time is `weight` operations, and gives something that is not zero.
  private static func repeated(
    _ name: String, _ operation: String, count: Int, weight: Int = 1, _ body: @escaping @Sendable () throws -> Int
  ) -> Benchmark {
    repeated(name, operation, count: count, of: weight, per: 1, body)
  }

  private static func repeated(
    _ name: String, _ operation: String, count: Int, of size: Int, per unit: Int, _ body: @escaping @Sendable () throws -> Int
  ) -> Benchmark {
    Benchmark(name: name, operation: operation, operations: count * size / unit) { operations in
      let times = max(1, operations * unit / size)
      var zeros = 0
      let duration = try ContinuousClock().measure {
        for _ in 0..<times where try body() == 0 { zeros += 1 }
      }
      try WrongResult.check(zeros == 0, name)
      return Benchmark.Round(operations: max(1, times * size / unit), duration: duration)
    }
  }
}
