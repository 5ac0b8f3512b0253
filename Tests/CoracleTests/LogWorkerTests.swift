import Logging
import NIOConcurrencyHelpers
import NIOPosix
import Raft
import Replica
import Testing
import WriteAheadLog

@testable import Coracle

@Suite struct LogWorkerTests {
  /// A real directory whose writes can be made to fail.
  private final class FaultyDisk: Disk, Sendable {
    typealias File = PosixDisk.File

    let failure = NIOLockedValueBox<DiskError.Reason?>(nil)
    let cannotOpen = NIOLockedValueBox<DiskError.Reason?>(nil)
    private let disk: PosixDisk

    init(_ disk: PosixDisk) { self.disk = disk }

    func list() throws(DiskError) -> [String] { try disk.list() }
    func open(_ name: String, create: Bool) throws(DiskError) -> File {
      if let reason = cannotOpen.withLockedValue({ $0 }) { throw DiskError(operation: "open", file: name, reason: reason) }
      return try disk.open(name, create: create)
    }
    func size(_ file: File) throws(DiskError) -> Int { try disk.size(file) }
    func read(_ file: File, offset: Int, count: Int) throws(DiskError) -> [UInt8] { try disk.read(file, offset: offset, count: count) }
    func write(_ file: File, offset: Int, _ bytes: [UInt8]) throws(DiskError) {
      if let reason = failure.withLockedValue({ $0 }) { throw DiskError(operation: "write", file: "log", reason: reason) }
      try disk.write(file, offset: offset, bytes)
    }
    func sync(_ file: File) throws(DiskError) { try disk.sync(file) }
    func close(_ file: File) { disk.close(file) }
    func rename(_ source: String, to destination: String) throws(DiskError) { try disk.rename(source, to: destination) }
    func remove(_ name: String) throws(DiskError) { try disk.remove(name) }
    func syncDirectory() throws(DiskError) { try disk.syncDirectory() }
  }

  private typealias Worker = LogWorker<FaultyDisk>

  /// A worker, what it reports, and the disk below it.
  private struct Bench {
    let disk: FaultyDisk
    let worker: Worker
    let reports = NIOLockedValueBox<[Worker.Report]>([])
    let identity: IdentityRecord
    private let thread = NIOThreadPool(numberOfThreads: 1)

    init(in path: String, pulse: NodePulse = NodePulse()) throws {
      disk = FaultyDisk(try PosixDisk(path: path))
      let member = Member(id: NodeID(1), name: "a", peerAddress: "a:1", clientAddress: "a:2")
      identity = IdentityRecord(node: member.id, name: "a", phase: .formed(Configuration(voters: [member])))
      let files = try NodeStorage<KeyValueNothing, FaultyDisk>(opening: disk, name: "a", newborn: member.id)
      thread.start()
      worker = Worker(files: files.log, thread: thread, metrics: NodeMetrics(node: "a"), pulse: pulse, logger: quiet) { [reports] report in
        reports.withLockedValue { $0.append(report) }
      }
    }

    func write(_ indexes: ClosedRange<LogIndex>) -> LogWrite {
      LogWrite(sequence: indexes.upperBound, entries: indexes.map { Entry(index: $0, term: 1, kind: .command, payload: [1, 2, 3]) })
    }

    func has(_ report: Worker.Report) async throws -> Bool {
      try await eventually { reports.withLockedValue { $0.contains(report) } }
    }

    func stop() async throws {
      await withCheckedContinuation { continuation in worker.close { continuation.resume() } }
      try await thread.shutdownGracefully()
    }

    /// What the next start finds.
    func recovered() throws -> DurableState? {
      try NodeStorage<KeyValueNothing, FaultyDisk>(opening: disk, name: "a", newborn: NodeID(9)).recovered
    }
  }

  /// A state machine that there is no need for.
  private struct KeyValueNothing: StateMachine, SnapshotSource {
    init() {}
    init(restoring blocks: inout SnapshotBlocks) {}
    mutating func apply(_ commands: [Command]) -> [Int] { commands.map { _ in 0 } }
    func makeBlocks() -> IndexingIterator<[[UInt8]]> { [].makeIterator() }
  }

  @Test func whatIsReportedIsThereAtTheNextStart() async throws {
    try await withTemporaryDirectory { path in
      let bench = try Bench(in: path)
      bench.worker.submit(identity: bench.identity, writes: [bench.write(1...1)], compact: nil)
      for index in LogIndex(2)...50 { bench.worker.submit(identity: nil, writes: [bench.write(index...index)], compact: nil) }
      #expect(try await bench.has(.done(.identitySaved)))
      #expect(try await bench.has(.done(.written(through: 50))))
      try await bench.stop()
      #expect(try bench.recovered()?.last.index == 50)
    }
  }

  @Test func closingWritesWhatWaits() async throws {
    try await withTemporaryDirectory { path in
      let bench = try Bench(in: path)
      bench.worker.submit(identity: bench.identity, writes: [bench.write(1...100)], compact: nil)
      try await bench.stop()
      #expect(bench.reports.withLockedValue { $0 } == [.done(.identitySaved), .done(.written(through: 100))])
      bench.worker.submit(identity: nil, writes: [bench.write(101...101)], compact: nil)
      #expect(try bench.recovered()?.last.index == 100)
    }
  }

  @Test func failureIsTheLastReport() async throws {
    try await withTemporaryDirectory { path in
      let bench = try Bench(in: path)
      bench.worker.submit(identity: bench.identity, writes: [bench.write(1...1)], compact: nil)
      #expect(try await bench.has(.done(.written(through: 1))))
      bench.disk.failure.withLockedValue { $0 = .failed("Input/output error") }
      bench.worker.submit(identity: nil, writes: [bench.write(2...2)], compact: nil)
      #expect(try await eventually { bench.reports.withLockedValue { $0.count } == 3 })
      bench.disk.failure.withLockedValue { $0 = nil }
      bench.worker.submit(identity: nil, writes: [bench.write(3...3)], compact: nil)
      try await bench.stop()
      let reports = bench.reports.withLockedValue { $0 }
      #expect(reports.count == 3)
      guard case .failed(let text) = reports[2] else {
        Issue.record("\(reports)")
        return
      }
      #expect(text.contains("Input/output error"))
      #expect(try bench.recovered()?.last.index == 1)
    }
  }

  @Test func fullDiskIsWaitedFor() async throws {
    try await withTemporaryDirectory { path in
      let bench = try Bench(in: path)
      bench.worker.submit(identity: bench.identity, writes: [bench.write(1...1)], compact: nil)
      #expect(try await bench.has(.done(.written(through: 1))))
      bench.disk.failure.withLockedValue { $0 = .full }
      // More than was made ready beforehand, so that it needs room.
      let large = Entry(index: 2, term: 1, kind: .command, payload: [UInt8](repeating: 1, count: 1 << 20)[...])
      bench.worker.submit(identity: nil, writes: [LogWrite(sequence: 2, entries: [large])], compact: nil)
      try await Task.sleep(for: .milliseconds(300))
      #expect(bench.reports.withLockedValue { $0.count } == 2)
      bench.disk.failure.withLockedValue { $0 = nil }
      #expect(try await bench.has(.done(.written(through: 2))))
      try await bench.stop()
      #expect(try bench.recovered()?.last.index == 2)
    }
  }

  @Test func nextSegmentWaitsForADescriptor() async throws {
    try await withTemporaryDirectory { path in
      let bench = try Bench(in: path)
      bench.worker.submit(identity: bench.identity, writes: [bench.write(1...1)], compact: nil)
      #expect(try await bench.has(.done(.written(through: 1))))
      bench.disk.cannotOpen.withLockedValue { $0 = .tooManyFiles }
      // More than the first segment has room for.
      let large = (2...4).map { Entry(index: $0, term: 1, kind: .command, payload: [UInt8](repeating: 1, count: 3 << 20)[...]) }
      bench.worker.submit(identity: nil, writes: [LogWrite(sequence: 4, entries: large)], compact: nil)
      try await Task.sleep(for: .milliseconds(300))
      #expect(bench.reports.withLockedValue { $0.count } == 2, "it is no failure, and nothing is acknowledged")
      bench.disk.cannotOpen.withLockedValue { $0 = nil }
      #expect(try await bench.has(.done(.written(through: 4))))
      try await bench.stop()
      #expect(try bench.recovered()?.last.index == 4)
    }
  }

  @Test func whatTheDiskTakesItsTimeForIsSeen() async throws {
    try await withTemporaryDirectory { path in
      let pulse = NodePulse()
      let bench = try Bench(in: path, pulse: pulse)
      #expect(pulse.health().logWriting == nil)
      bench.disk.failure.withLockedValue { $0 = .full }
      bench.worker.submit(identity: bench.identity, writes: [bench.write(1...1)], compact: nil)
      #expect(try await eventually { pulse.health().logWriting.map { $0 > .milliseconds(100) } ?? false })
      bench.disk.failure.withLockedValue { $0 = nil }
      #expect(try await bench.has(.done(.written(through: 1))))
      #expect(try await eventually { pulse.health().logWriting == nil })
      try await bench.stop()
    }
  }

  @Test func identityWaitsForRoomToo() async throws {
    try await withTemporaryDirectory { path in
      let bench = try Bench(in: path)
      bench.disk.failure.withLockedValue { $0 = .full }
      bench.worker.submit(identity: bench.identity, writes: [bench.write(1...1)], compact: nil)
      try await Task.sleep(for: .milliseconds(300))
      #expect(bench.reports.withLockedValue { $0.isEmpty })
      bench.disk.failure.withLockedValue { $0 = nil }
      #expect(try await bench.has(.done(.written(through: 1))))
      try await bench.stop()
      #expect(try bench.recovered()?.last.index == 1)
    }
  }

  @Test func fullDiskDoesNotKeepTheNodeFromStopping() async throws {
    try await withTemporaryDirectory { path in
      let bench = try Bench(in: path)
      bench.worker.submit(identity: bench.identity, writes: [bench.write(1...1)], compact: nil)
      #expect(try await bench.has(.done(.written(through: 1))))
      bench.disk.failure.withLockedValue { $0 = .full }
      let large = Entry(index: 2, term: 1, kind: .command, payload: [UInt8](repeating: 1, count: 1 << 20)[...])
      bench.worker.submit(identity: nil, writes: [LogWrite(sequence: 2, entries: [large])], compact: nil)
      try await bench.stop()
      bench.disk.failure.withLockedValue { $0 = nil }
      #expect(try bench.recovered()?.last.index == 1)
    }
  }
}
