import Credentials
import Hummingbird
import HummingbirdCore
import KeyValue
import Links
import Logging
import NIOCore
import ServiceLifecycle
import Sockets

/// The link service: a web application over a key-value store.
///
/// Its users are the store's: where there are some, whoever changes or lists links shows a name and a password (HTTP's Basic
/// authentication), and the permissions of that user decide. Where there are none, anyone who reaches `/_links` may change links.
public struct LinkServer<Store: LinkStore>: Sendable {
  private let configuration: LinkServerConfiguration
  private let service: LinkService<Store>
  private let flusher: VisitFlusher<Store>

  public init(store: Store, configuration: LinkServerConfiguration) {
    self.configuration = configuration
    let keys = LinkKeys(prefix: configuration.keyPrefix)
    service = LinkService(
      store: store, links: LinkShortener(keys: keys), nowSeconds: configuration.nowSeconds, random: configuration.random)
    flusher = VisitFlusher(
      store: store, counter: VisitCounter(owner: configuration.owner, process: configuration.random(), keys: keys),
      interval: configuration.flushInterval, logger: configuration.logger)
  }

  /// The server, with the service that flushes visits. At a graceful stop the server ends first and the visits are flushed then: so run it
  /// in a service group above the store's services, which end later still.
  public func application() -> some ApplicationProtocol {
    let times = connectionTimes
    return Application(
      router: router(),
      server: LinkChannel.builder(.init(additionalChannelHandlers: [ConnectionWatch(times)]), configuration.security),
      configuration: ApplicationConfiguration(
        address: .hostname(configuration.host, port: configuration.port),
        availableConnectionsDelegate: MaximumAvailableConnections(configuration.maximumConnections)),
      services: [flusher],
      onServerRunning: { channel in
        try? await channel.eventLoop.submit {
          try channel.pipeline.syncOperations.addHandler(AcceptPause(), position: .first)
        }.get()
      },
      logger: configuration.logger)
  }

  func router() -> Router<LinkRequestContext> {
    Routes(
      service: service, flusher: flusher, recent: RecentLinks(service: service), login: LoginCheck(store: service.store),
      headers: SafeHeaders(isTrustedByBrowsers: configuration.certificate != nil), maximumImportBytes: configuration.maximumImportBytes
    ).router()
  }

  private var connectionTimes: ConnectionWatch.Times {
    var times = ConnectionWatch.Times()
    times.head = TimeAmount(configuration.headTimeout)
    times.body = TimeAmount(configuration.stallTimeout)
    times.stall = TimeAmount(configuration.stallTimeout)
    times.stop = TimeAmount(configuration.stopTimeout)
    return times
  }
}

public struct LinkServerConfiguration: Sendable {
  /// Who counts visits on this node: the same number after each restart, another one on each node.
  public var owner: CounterOwner
  /// With these it speaks TLS.
  public var credentials: TLSCredentials?
  /// With this it speaks TLS too, and shows nothing else.
  public var certificate: OwnCertificate?
  public var host = "127.0.0.1"
  public var port = 8080
  /// What the service's keys in the store begin with.
  public var keyPrefix = "shortlinks/"
  /// A visit is counted at most about this much later.
  public var flushInterval: Duration = .milliseconds(500)
  public var maximumConnections = 4096
  /// How long a connection may be without the whole head of a request.
  public var headTimeout: Duration = .seconds(10)
  /// How long a client may send nothing of a body that is waited for, or take nothing of an answer.
  public var stallTimeout: Duration = .seconds(30)
  /// For requests under way when the service is to stop; then their connections are closed.
  public var stopTimeout: Duration = .seconds(2)
  /// Bytes of one import; the body is streamed, and never held whole.
  public var maximumImportBytes = 64 << 20
  public var logger = Logger(label: "shortlinks")
  public var nowSeconds: @Sendable () -> UInt64 = { SystemClock.secondsSince1970 }
  public var random: @Sendable () -> UInt64 = { .random(in: .min ... .max) }

  public init(owner: CounterOwner) { self.owner = owner }

  var security: PortSecurity {
    if let certificate { return .own(certificate) }
    return credentials.map { .cluster($0) } ?? .plainText
  }
}

#if canImport(FoundationEssentials)
  import FoundationEssentials
#else
  import Foundation
#endif

/// A request on its way through the service.
struct LinkRequestContext: RequestContext {
  var coreContext: CoreRequestContextStorage
  /// On whose behalf what the request asks for is done.
  var subject = Subject.nobody
  /// The address of the client, or of the proxy in front.
  let host: String?

  init(source: Source) {
    coreContext = .init(source: source)
    host = source.channel.remoteAddress?.network
  }

  /// Bytes of a body that is read as a whole: the longest target, percent-encoded in a form, and a slug.
  var maxUploadSize: Int { 16 << 10 }

  /// Fields in a fixed order, and addresses as they are.
  var responseEncoder: JSONEncoder {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.withoutEscapingSlashes, .sortedKeys]
    return encoder
  }
}

extension Request {
  /// A browser asks, or something that wants to be taken for one: it gets pages instead of JSON.
  var wantsHTML: Bool { headers[.accept]?.contains("text/html") ?? false }
}
