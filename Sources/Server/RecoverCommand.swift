import ArgumentParser
import Coracle
import Foundation
import KeyValue
import Raft
import Replica
import WriteAheadLog

/// What is left when a quorum is lost for good.
struct RecoverCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "recover", abstract: "Begin a cluster anew from one survivor, when a majority is lost for good.",
    discussion: """
      Run it on the survivor with the most of the log (the highest COMMITTED of `coracle status`), with no node of the old cluster \
      running. Without --confirm it changes nothing, and says what may be lost. The survivor becomes a cluster of one, to which others \
      join with `coracle join` and empty directories; members of the old cluster are refused from then on. The old directory is kept \
      beside the new one.
      """)

  @Option(help: "Where the survivor keeps its data.") var dataDir = "coracle-data"
  @Option(help: "Where the other nodes will reach this one, as host:port.") var peerAddress = "127.0.0.1:2380"
  @Option(help: "Where clients will reach this one, as host:port.") var clientAddress = "127.0.0.1:2379"
  @Option(help: "The identity of the cluster that is given up, as the first run prints it.") var confirm: String?

  private typealias Files = NodeStorage<KeyValueMachine, PosixDisk>

  func run() throws {
    do {
      guard !exists(path + ".old"), !exists(path + ".new") else {
        throw RecoverRefusal("\(path).old or \(path).new is there, of an earlier recovery: move it away first")
      }
      guard exists(path) else { throw RecoverRefusal("\(path) does not exist: name the data directory of a member") }
      guard !isFileSystem else {
        throw RecoverRefusal("\(path) is a file system of its own, or no name of a directory: copy it to a plain directory, and name that")
      }
      let disk = try PosixDisk(path: path)
      defer { disk.unlock() }
      guard let identity = try DataDirectory.load(disk).identity, let cluster = identity.cluster else {
        throw RecoverRefusal("\(path) belongs to no cluster: name the data directory of a member")
      }
      var files = try Files(opening: disk, name: identity.name, newborn: identity.node)
      defer { files.log.close() }
      guard let confirm else { return try Output.line(Self.warning(files, cluster)) }
      guard confirm == cluster.description else {
        throw RecoverRefusal("--confirm: the cluster of \(path) is \(cluster), not \(confirm)")
      }
      let generation = try begin(files)
      try swap()
      try Output.line(
        """
        Node \(identity.name) is a cluster of its own now: \(generation.cluster), with all that its log held, up to entry \
        \(generation.lastIndex). Start it with `coracle serve`, as before but without --initial-cluster; add others with `coracle join`. \
        The old directory is \(path).old.
        """)
    } catch let error as RecoverRefusal {
      Output.complain("\(error)")
      throw ExitStatus.failed
    } catch let error as PosixDiskError {
      Output.complain("\(error)")
      throw ExitStatus.failed
    } catch let error as StorageError {
      Output.complain("\(error)")
      throw ExitStatus.failed
    }
  }

  private static func warning(_ files: Files, _ cluster: ClusterID) -> String {
    let last = files.recovered?.last.index ?? 0
    let known = min(last, max(files.recovered?.commit ?? 0, files.recovered?.start.index ?? 0))
    return """
      The log of this node ends with entry \(last). What other members acknowledged beyond it is lost. Of its own entries, \
      \(last - known) were not known to be committed: they are kept, whether clients were told of them or not.
      Nothing was changed, but for what any start repairs. To begin anew from here, with no other member of the old cluster running: \
      --confirm \(cluster)
      """
  }

  private func begin(_ files: Files) throws -> NewGeneration {
    let fresh = try PosixDisk(path: path + ".new")
    defer { fresh.unlock() }
    let info = PeerInfo(name: files.identity.name, peerAddress: peerAddress, clientAddress: clientAddress)
    return try files.beginNewGeneration(into: fresh, info: info, newborn: NodeID(.random(in: 1 ... .max)))
  }

  /// The data directory, without slashes at its end.
  private var path: String {
    var path = dataDir
    while path.count > 1, path.hasSuffix("/") { path.removeLast() }
    return path
  }

  /// Whether the directory cannot be renamed, and another take its place.
  private var isFileSystem: Bool {
    let (own, parent) = (device(of: path), device(of: path + "/.."))
    return ["", ".", ".."].contains((path as NSString).lastPathComponent) || own == nil || own != parent
  }

  private func device(of path: String) -> dev_t? {
    var status = stat()
    return stat(path, &status) == 0 ? status.st_dev : nil
  }

  private func exists(_ path: String) -> Bool { FileManager.default.fileExists(atPath: path) }

  /// The new directory takes the old one's place. A crash in between leaves both, under the names that the error says, and no directory of
  /// the name itself.
  private func swap() throws {
    do {
      try FileManager.default.moveItem(atPath: path, toPath: path + ".old")
      try FileManager.default.moveItem(atPath: path + ".new", toPath: path)
    } catch {
      throw RecoverRefusal(
        "the new directory is whole, but cannot take the old one's place (\(error.localizedDescription)): move \(path) to \(path).old, and "
          + "\(path).new to \(path)")
    }
    let parent = open((path as NSString).deletingLastPathComponent.isEmpty ? "." : (path as NSString).deletingLastPathComponent, O_RDONLY)
    guard parent >= 0 else { return }
    fsync(parent)
    close(parent)
  }
}

/// Why nothing was begun anew.
private struct RecoverRefusal: Error, CustomStringConvertible {
  let description: String

  init(_ description: String) { self.description = description }
}
