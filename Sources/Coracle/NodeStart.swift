import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import Raft
import Replica
import WriteAheadLog

/// The steps from a configuration to a replica that runs.
struct NodeStart<Machine: StateMachine> {
  let eventLoop: any EventLoop
  let published: NIOLockedValueBox<ReplicaStatus>
  let ended = Latch<NodeError?>()
  let metrics: NodeMetrics
  private let configuration: NodeConfiguration
  private let threads: NodeThreads
  private let logger: Logger

  init(_ configuration: NodeConfiguration, threads: NodeThreads, logger: Logger) {
    self.configuration = configuration
    self.threads = threads
    self.logger = logger
    eventLoop = threads.eventLoop
    metrics = NodeMetrics(node: configuration.name)
    published = NIOLockedValueBox(ReplicaStatus(node: NodeID(0), name: configuration.name))
  }

  func run() async throws(StartError) -> (NIOLoopBound<ReplicaDriver<Machine>>, HostPort) {
    let storage = try await openStorage()
    for repair in storage.repairs { logger.warning("repaired on opening", metadata: ["repair": "\(repair)"]) }
    let (transport, address) = try await listen()
    let driver = await startDriver(storage, transport, address)
    logger.notice("started", metadata: ["id": "\(storage.identity.node)", "peer_address": "\(address)"])
    return (driver, address)
  }

  private func openStorage() async throws(StartError) -> Storage<Machine> {
    let (path, name) = (configuration.dataDirectory, configuration.name)
    do {
      return try await threads.log.runIfActive { try Storage<Machine>(opening: path, name: name) }
    } catch let error as StartError {
      throw error
    } catch {
      throw .configuration("\(error)")
    }
  }

  private func listen() async throws(StartError) -> (NIOLoopBound<PeerTransport>, HostPort) {
    let (address, eventLoop, metrics, logger) = (configuration.peerAddress, eventLoop, metrics, logger)
    do {
      return try await eventLoop.flatSubmit {
        let transport = PeerTransport(eventLoop: eventLoop, metrics: metrics, logger: logger)
        let bound = NIOLoopBound(transport, eventLoop: eventLoop)
        return transport.bind(to: address).map { (bound, $0) }
      }.get()
    } catch let error as IOError where error.errnoCode == EADDRINUSE {
      throw .addressInUse(address)
    } catch {
      throw .listen(address, reason: "\(error)")
    }
  }

  private func startDriver(
    _ storage: Storage<Machine>, _ transport: NIOLoopBound<PeerTransport>, _ address: HostPort
  ) async -> NIOLoopBound<ReplicaDriver<Machine>> {
    await withCheckedContinuation { continuation in
      eventLoop.execute {
        let driver = makeDriver(storage, transport.value, address)
        driver.start()
        continuation.resume(returning: NIOLoopBound(driver, eventLoop: eventLoop))
      }
    }
  }

  private func makeDriver(_ storage: Storage<Machine>, _ transport: PeerTransport, _ address: HostPort) -> ReplicaDriver<Machine> {
    let inbox = EventInbox<Machine>(eventLoop: eventLoop)
    let log = LogWorker(
      disk: storage.disk, identity: storage.identity, log: storage.log, thread: threads.log, metrics: metrics, logger: logger
    ) { report in
      switch report {
      case .identitySaved: inbox.post(.identitySaved)
      case .written(let sequence): inbox.post(.written(through: sequence))
      case .failed(let text): inbox.post(.storageFailed(text))
      }
    }
    let snapshots = SnapshotWorker<Machine, PosixDisk>(disk: storage.disk, thread: threads.snapshots, report: inbox.post)
    let driver = ReplicaDriver(
      replica: makeReplica(storage, address), identity: storage.identity.storage, eventLoop: eventLoop, transport: transport, log: log,
      snapshots: snapshots, metrics: metrics, logger: logger, published: published
    ) { [ended, disk = storage.disk] failure in
      disk.unlock()
      ended.open(failure)
    }
    let bound = NIOLoopBound(driver, eventLoop: eventLoop)
    inbox.onEvents { events in
      for event in events { bound.value.report(event) }
    }
    return driver
  }

  private func makeReplica(_ storage: Storage<Machine>, _ address: HostPort) -> Replica<Machine> {
    let advertised = (configuration.advertisedPeerAddress ?? address).description
    let initial = configuration.initialCluster.map { InitialMember(name: $0.name, peerAddress: $0.peerAddress.description) }
    let contact = Contact(
      name: configuration.name, peerAddress: advertised, clientAddress: configuration.advertisedClientAddress,
      initialCluster: initial.isEmpty ? [InitialMember(name: configuration.name, peerAddress: advertised)] : initial)
    return Replica(
      identity: storage.identity, contact: contact, recovered: storage.recovered, snapshot: storage.snapshot, machine: storage.machine,
      settings: configuration.settings, seed: .random(in: .min ... .max), now: ReplicaDriver<Machine>.now)
  }
}

extension IdentityRecord {
  /// Whose files the log and the snapshots are, once that is known.
  var storage: StorageIdentity? { cluster.map { StorageIdentity(node: node, cluster: $0) } }
}
