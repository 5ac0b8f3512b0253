import Logging
import NIOCore
import NIOPosix
import Raft
import Replica
import WriteAheadLog

/// The steps from a configuration to a replica that runs.
struct NodeStart<Machine: StateMachine> {
  private typealias Files = NodeStorage<Machine, PosixDisk>

  private struct Parts: Sendable {
    let disk: PosixDisk
    let files: Files
    let transport: NIOLoopBound<PeerTransport>
    let replica: ReplicaCore<Machine>
  }

  let configuration: NodeConfiguration
  let threads: NodeThreads
  let statuses: StatusFeed
  let pulse: NodePulse
  let views: ViewFeed<Machine.View>
  let ended: Latch<NodeError?>
  let metrics: NodeMetrics
  let logger: Logger

  private var eventLoop: any EventLoop { threads.eventLoop }

  func run() async throws(StartError) -> (NIOLoopBound<ReplicaDriver<Machine>>, HostPort) {
    var (disk, files) = try await open()
    for repair in files.repairs { logger.warning("repaired on opening", metadata: ["repair": "\(repair)"]) }
    do throws(StartError) {
      let (transport, address) = try await listen()
      let replica = try makeReplica(files, address)
      let driver = await startDriver(Parts(disk: disk, files: files, transport: transport, replica: replica))
      logger.notice("started", metadata: ["id": "\(files.identity.node)", "peer_address": "\(address)"])
      return (driver, address)
    } catch {
      files.log.close()
      disk.unlock()
      throw error
    }
  }

  private func open() async throws(StartError) -> (PosixDisk, Files) {
    let (path, name) = (configuration.dataDirectory, configuration.name)
    // Also in a task that is cancelled: a start that has begun is finished, so that a stop is always the same.
    let opened = await withCheckedContinuation { continuation in
      threads.log.submit { _ in continuation.resume(returning: Self.open(path, name)) }
    }
    return try opened.get()
  }

  /// Blocks for as long as it takes to read the newest snapshot and the log.
  private static func open(_ path: String, _ name: String) -> Result<(PosixDisk, Files), StartError> {
    do throws(PosixDiskError) {
      let disk = try PosixDisk(path: path)
      do throws(StorageError) {
        // Before anything in it is touched.
        let directory = try DataDirectory.load(disk)
        if let found = directory.identity?.name, found != name {
          return .failure(.wrongName(configured: name, found: found, directory: path))
        }
        let files = try Files(opening: disk, holding: directory, name: name, newborn: NodeID(.random(in: 1 ... .max)))
        return .success((disk, files))
      } catch {
        return .failure(.storage(error))
      }
    } catch {
      return .failure(.dataDirectory(error))
    }
  }

  private func listen() async throws(StartError) -> (NIOLoopBound<PeerTransport>, HostPort) {
    let (address, memory, eventLoop, metrics, logger) = (configuration.peerAddress, configuration.memory, eventLoop, metrics, logger)
    let credentials = configuration.credentials
    do {
      return try await eventLoop.flatSubmit {
        let transport = PeerTransport(
          eventLoop: eventLoop, incoming: memory.incomingFrames, outgoing: memory.outgoingFrames, credentials: credentials,
          metrics: metrics, logger: logger)
        let bound = NIOLoopBound(transport, eventLoop: eventLoop)
        return transport.bind(to: address).map { (bound, $0) }
      }.get()
    } catch let error as IOError where error.errnoCode == EADDRINUSE {
      throw .addressInUse(address)
    } catch {
      throw .listen(address, reason: "\(error)")
    }
  }

  private func startDriver(_ parts: Parts) async -> NIOLoopBound<ReplicaDriver<Machine>> {
    await withCheckedContinuation { continuation in
      eventLoop.execute {
        let driver = makeDriver(parts)
        driver.start()
        continuation.resume(returning: NIOLoopBound(driver, eventLoop: eventLoop))
      }
    }
  }

  private func makeDriver(_ parts: Parts) -> ReplicaDriver<Machine> {
    let inbox = EventInbox<Machine>(eventLoop: eventLoop)
    let log = LogWorker(files: parts.files.log, thread: threads.log, metrics: metrics, pulse: pulse, logger: logger) { report in
      switch report {
      case .done(let report): inbox.post(ReplicaEvent(report))
      case .failed(let text): inbox.post(.storageFailed(text))
      }
    }
    let snapshots = SnapshotWorkers(
      writing: SnapshotWorker(files: parts.files.snapshots, thread: threads.snapshots, report: inbox.post),
      reading: SnapshotWorker(files: parts.files.snapshotsForPeers, thread: threads.snapshotsForPeers, report: inbox.post))
    let driver = ReplicaDriver(
      replica: parts.replica, cluster: parts.files.identity.cluster, eventLoop: eventLoop, transport: parts.transport.value, log: log,
      snapshots: snapshots, metrics: metrics, logger: logger, statuses: statuses, pulse: pulse, views: views
    ) { [ended, disk = parts.disk] failure in
      inbox.close()
      disk.unlock()
      ended.open(failure)
    }
    let bound = NIOLoopBound(driver, eventLoop: eventLoop)
    inbox.onEvents { events in
      for event in events { bound.value.report(event) }
    }
    return driver
  }

  private func makeReplica(_ files: Files, _ address: HostPort) throws(StartError) -> ReplicaCore<Machine> {
    let peerInfo = PeerInfo(
      name: configuration.name, peerAddress: (configuration.advertisedPeerAddress ?? address).description,
      clientAddress: configuration.advertisedClientAddress,
      initialCluster: configuration.initialCluster.map { .init(name: $0.name, peerAddress: $0.peerAddress.description) },
      join: configuration.join.map(\.description), newAddresses: configuration.newPeerAddresses.map(\.description))
    do {
      return try ReplicaCore(
        identity: files.identity, peerInfo: peerInfo, recovered: files.recovered, snapshot: files.snapshot,
        snapshotBytes: files.snapshotBytes, machine: files.machine, settings: configuration.settings, seed: .random(in: .min ... .max),
        now: ReplicaDriver<Machine>.now)
    } catch {
      throw .recovery(error)
    }
  }
}
