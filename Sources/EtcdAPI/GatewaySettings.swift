/// The bounds and times of the client port.
public struct GatewaySettings: Sendable, Hashable {
  /// Most bytes of a request's body. Base64 makes the largest request of the store, 1.5 MiB, into 2 MiB.
  public var maximumBodyBytes = 3 << 20
  /// Most bytes of a body under `/coracle/`, which a stranger may send too.
  public var maximumAdministrationBytes = 16 << 10
  /// Bodies up to here may also take the last quarter of the memory that there is for bodies.
  public var smallBodyBytes = 64 << 10
  /// Most bytes of a request's header fields together.
  public var maximumHeaderBytes = 16 << 10
  /// Most header fields of a request.
  public var maximumHeaderFields = 100
  /// How deep arrays and objects of a body may be inside each other.
  public var maximumNesting = 64
  /// Most connections at a time; the next is told so and closed.
  public var maximumConnections = 8192
  /// Most connections on which TLS is not agreed on yet; for one more, the oldest of the address that has most of them is closed.
  public var maximumHandshakes = 512
  /// How long the store may take for a request whose client does not say.
  public var requestTimeout = Duration.seconds(5)
  /// The longest time that a client may allow for a request.
  public var maximumRequestTimeout = Duration.seconds(60)
  /// How long a connection may be without a request.
  public var idleTimeout = Duration.seconds(120)
  /// How long the head of a request may take to come, from its first byte on.
  public var headTimeout = Duration.seconds(10)
  /// How long the body of a request may take to come, and how long nothing of it may come.
  public var bodyTimeout = Duration.seconds(30)
  public var bodyStallTimeout = Duration.seconds(10)
  /// How long a client may take to accept the next part of an answer.
  public var stallTimeout = Duration.seconds(30)
  /// How long requests under way may take to end when the port is closed; then their connections are closed too.
  public var shutdownTimeout = Duration.seconds(5)
  /// About how many bytes of a long answer are made and sent at a time.
  public var chunkBytes = 64 << 10
  /// Most bytes that long answers together may hold in memory, if the server is not given an account of a node's budget.
  public var maximumAnswerBytes = 64 << 20
  /// How long a long answer may wait for memory before its client is told that the node is busy.
  public var answerWait = Duration.seconds(2)
  /// Most watches of one stream, and requests in a stream's body.
  public var maximumWatches = 1024
  /// How long a client may take to accept the next line of a stream: it may be at work on the last one.
  public var conversationStall = Duration.seconds(300)
  /// How often a watch that asks for it is told how far it has come, if it is told nothing else.
  public var progressInterval = Duration.seconds(600)

  public init() {}
}
