import Foundation
import Logging
import NIOConcurrencyHelpers
import ServiceLifecycle
import Testing

@testable import Server

@Suite(.timeLimit(.minutes(10))) struct StopTests {
  /// Ends when it is told to, or not at all.
  private struct Part: Service {
    let ends: Bool

    func run() async throws {
      try await gracefulShutdown()
      while !ends { try? await Task.sleep(for: .milliseconds(20)) }
    }
  }

  private func group(_ services: [any Service]) -> ServiceGroup {
    ServiceGroup(
      configuration: .init(
        services: services.map { .init(service: $0, successTerminationBehavior: .gracefullyShutdownGroup) },
        logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }))
  }

  @Test func aStopThatTakesTooLongEndsWithAReason() async throws {
    let reasons = NIOLockedValueBox<[String]>([])
    let stop = StopDeadline(.milliseconds(2000)) { reason in reasons.withLockedValue { $0.append(reason) } }
    let group = group([stop.watch("the disk", Part(ends: false)), stop.watch("the port", Part(ends: true)), stop])
    let running = Task { try await group.run() }
    try await Task.sleep(for: .milliseconds(100))
    #expect(reasons.withLockedValue { $0.isEmpty }, "nothing ends before it is asked to")
    await group.triggerGracefulShutdown()
    for _ in 0..<500 where reasons.withLockedValue({ $0.isEmpty }) { try await Task.sleep(for: .milliseconds(10)) }
    let reason = try #require(reasons.withLockedValue { $0.first })
    #expect(reason.contains("the disk"))
    #expect(!reason.contains("the port"), "what has ended is not waited for")
    running.cancel()
  }

  @Test func aPartThatDoesNotEndIsLeftAfterItsTime() async throws {
    let group = group([BoundedStop(service: Part(ends: false), limit: .milliseconds(100))])
    let running = Task { try await group.run() }
    try await Task.sleep(for: .milliseconds(300))
    let elapsed = try await ContinuousClock().measure {
      await group.triggerGracefulShutdown()
      try await running.value
    }
    #expect(elapsed >= .milliseconds(100) && elapsed < .seconds(10))
  }

  @Test func itsFailureIsTheGroups() async throws {
    struct Failing: Service {
      func run() async throws { throw CancellationError() }
    }
    let group = group([BoundedStop(service: Failing(), limit: .seconds(1))])
    await #expect(throws: CancellationError.self) { try await group.run() }
  }

  @Test func thePartsFitIntoTheWhole() {
    for seconds in [1.0, 8, 3600] {
      let times = StopTimes(total: .seconds(seconds))
      #expect(times.requests + times.links <= times.total * 3 / 4, "the node has the rest, for its disk")
      #expect(times.requests < times.links)
    }
  }
}

@Suite(.timeLimit(.minutes(10))) struct DirectorySizeTests {
  @Test func aSlowDirectoryHoldsUpNobody() async throws {
    let gate = DispatchSemaphore(value: 0)
    let size = DirectorySize(every: 0.01) {
      gate.wait()
      return 42
    }
    // Were it waited for, this would never end.
    #expect(size.bytes == 0)
    gate.signal()
    for _ in 0..<500 where size.bytes == 0 { try await Task.sleep(for: .milliseconds(10)) }
    #expect(size.bytes == 42)
  }

  @Test func theFigureIsBroughtUpToDate() async throws {
    let looks = NIOLockedValueBox<Int64>(0)
    let size = DirectorySize(every: 0.01) {
      looks.withLockedValue {
        $0 += 1; return $0
      }
    }
    for _ in 0..<500 where size.bytes < 3 { try await Task.sleep(for: .milliseconds(10)) }
    #expect(size.bytes >= 3)
  }
}

@Suite struct DescriptorTests {
  @Test func connectionsNeverTakeWhatTheLogNeeds() throws {
    for limit in [DescriptorShares.minimum, 400, 1024, 4096, 65_536, 1 << 20] {
      for servesLinks in [false, true] {
        let shares = try DescriptorShares(limit: limit, servesLinks: servesLinks)
        #expect(shares.clients >= 40)
        #expect(servesLinks ? shares.links >= 20 : shares.links == 0)
        #expect(shares.clients + shares.links + 144 + DescriptorShares.reserve <= limit)
      }
    }
    #expect(try DescriptorShares(limit: 65_536, servesLinks: true) == DescriptorShares(limit: 1 << 20, servesLinks: true))
  }

  @Test func tooFewAreRefusedWithWhatToDo() {
    let error = #expect(throws: TooFewDescriptors.self) { try DescriptorShares(limit: 256, servesLinks: false) }
    #expect(error?.description.contains("ulimit -n") == true)
  }
}
