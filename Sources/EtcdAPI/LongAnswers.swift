import Budget
import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization

/// What all long answers of a port share: the memory that they may hold, and the turns in which they are made.
final class LongAnswers: Sendable {
  let account: MemoryBudget.Account
  let longLooks = LongLooks()
  /// Bytes of an answer that is sent: the part that is made, and the one that the client has not taken.
  private let placeBytes: Int
  private let turns = Mutex<[ObjectIdentifier: NIOLoopBound<LoopTurns>]>([:])

  init(account: MemoryBudget.Account, placeBytes: Int) {
    self.account = account
    self.placeBytes = placeBytes
  }

  func bytes(for body: ResponseBody) -> Int { placeBytes + body.workingBytes }

  /// Whether another long answer could begin now.
  var hasPlace: Bool { account.hasRoom(for: placeBytes) }

  /// Those of this event loop, which must be the caller's.
  func turns(of eventLoop: any EventLoop) -> LoopTurns {
    turns.withLock { turns in
      if let known = turns[ObjectIdentifier(eventLoop)] { return known }
      let made = NIOLoopBound(LoopTurns(eventLoop: eventLoop), eventLoop: eventLoop)
      turns[ObjectIdentifier(eventLoop)] = made
      return made
    }.value
  }
}

/// Answers that look at all of the state: one after the other, on a thread of the pool for such work, so that no event loop waits for them.
final class LongLooks: Sendable {
  /// How many may wait, each with the state that it is to look at. A client that goes leaves its place to nobody until its turn has come.
  static let maximumWaiting = 16
  /// How many of them may be of one asker.
  static let maximumOfOne = 4

  private let queue = Mutex<(waiting: [(asker: String?, look: @Sendable () -> Void)], isBusy: Bool)>(([], false))

  /// False if too many wait.
  func submit(for asker: String? = nil, _ look: @escaping @Sendable () -> Void) -> Bool {
    let begins: Bool? = queue.withLock { queue in
      guard queue.waiting.count < Self.maximumWaiting else { return nil }
      if let asker, queue.waiting.count(where: { $0.asker == asker }) >= Self.maximumOfOne { return nil }
      queue.waiting.append((asker, look))
      defer { queue.isBusy = true }
      return !queue.isBusy
    }
    if begins == true { NIOThreadPool.singleton.submit { _ in self.run() } }
    return begins != nil
  }

  private func run() {
    while let look = next() { look() }
  }

  private func next() -> (@Sendable () -> Void)? {
    queue.withLock { queue in
      guard !queue.waiting.isEmpty else {
        queue.isBusy = false
        return nil
      }
      return queue.waiting.removeFirst().look
    }
  }
}

/// Long work of all connections of one event loop, one slice of one of them at a time: between two slices the loop looks after everything
/// else, so that a request waits for one slice, however many long answers there are.
final class LoopTurns {
  /// The loop looks at its sockets when no task is due. So the next slice is due a little after the last one has ended, whatever that took:
  /// due a little after it was asked for, it would be due at once, and the sockets would wait for the end of all slices.
  private static let pause = TimeAmount.microseconds(100)

  private let eventLoop: any EventLoop
  private var waiting = CircularBuffer<() -> Void>()
  /// A slice is about to run, or runs.
  private var isBusy = false

  init(eventLoop: any EventLoop) { self.eventLoop = eventLoop }

  func add(_ slice: @escaping () -> Void) {
    waiting.append(slice)
    if !isBusy { schedule() }
  }

  private func schedule() {
    isBusy = true
    let this = NIOLoopBound(self, eventLoop: eventLoop)
    eventLoop.scheduleTask(in: Self.pause) { this.value.run() }
  }

  private func run() {
    waiting.popFirst()?()
    if waiting.isEmpty { isBusy = false } else { schedule() }
  }
}

/// A long answer before its first part is sent.
struct LongAnswer {
  var response: GatewayResponse
  var first: [UInt8] = []
  let request: HTTPRequestHead
  let mayKeepAlive: Bool
  /// Until when it may wait for memory.
  let until: NIODeadline

  init(response: GatewayResponse, request: HTTPRequestHead, mayKeepAlive: Bool, until: NIODeadline) {
    self.response = response
    self.request = request
    self.mayKeepAlive = mayKeepAlive
    self.until = until
  }
}
