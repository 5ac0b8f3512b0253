import Synchronization

/// The memory that a node may spend on what others make it hold, in sum: answers not yet taken, bodies not yet whole, and the like. What
/// the state itself needs is not in it.
///
/// Each use has an account with a name and a bound of its own. A holder reserves bytes first, and does without them if it is
/// told no; so the sum is kept, whatever the parts do. Cheap enough for every part of an answer: one lock, no allocation. For any thread.
///
///     let budget = MemoryBudget(bytes: 256 << 20)
///     let answers = budget.account("answers", bytes: 64 << 20)
///     guard answers.reserve(part.count) else { return busy }
///     send(part) { answers.release(part.count) }
public final class MemoryBudget: Sendable {
  /// How an account stands.
  public struct Usage: Sendable, Hashable {
    public let name: String
    /// The account's bound.
    public let bytes: Int
    /// What is reserved now.
    public internal(set) var reserved = 0
    /// Reservations refused since the start.
    public internal(set) var refusals = 0
  }

  struct State {
    var reserved = 0
    var accounts: [Usage] = []
  }

  /// The bound of all accounts together.
  public let bytes: Int
  let state = Mutex(State())

  public init(bytes: Int) { self.bytes = max(0, bytes) }

  /// A new account. The bounds of all accounts may exceed the budget's: then what comes first has the rest.
  ///
  /// - Parameter bytes: the account's own bound; by default that of the budget.
  public func account(_ name: String, bytes: Int? = nil) -> Account {
    let limit = min(max(0, bytes ?? self.bytes), self.bytes)
    let index = state.withLock { state in
      state.accounts.append(Usage(name: name, bytes: limit))
      return state.accounts.count - 1
    }
    return Account(budget: self, index: index, bytes: limit)
  }

  /// What is reserved on all accounts.
  public var reserved: Int { state.withLock { $0.reserved } }

  /// All accounts, in the order in which they were made.
  public var usage: [Usage] { state.withLock { $0.accounts } }
}

extension MemoryBudget {
  /// One use of the budget.
  public final class Account: Sendable {
    private let budget: MemoryBudget
    private let index: Int
    /// The account's own bound.
    public let bytes: Int

    fileprivate init(budget: MemoryBudget, index: Int, bytes: Int) {
      self.budget = budget
      self.index = index
      self.bytes = bytes
    }

    /// What is reserved here now.
    public var reserved: Int { budget.state.withLock { $0.accounts[index].reserved } }

    /// Reserves bytes that are about to be held; `release` must follow. `false`, and nothing is reserved, if that would exceed the bound of
    /// this account or of the budget.
    public func reserve(_ count: Int) -> Bool {
      budget.state.withLock { state in
        guard fits(count, state) else {
          state.accounts[index].refusals += 1
          return false
        }
        add(count, &state)
        return true
      }
    }

    /// Whether `reserve` would succeed now. For what is asked early and reserved later, by `charge`.
    public func hasRoom(for count: Int) -> Bool { budget.state.withLock { fits(count, $0) } }

    /// Counts bytes that are held in any case, even beyond the bound; `release` must follow. Meanwhile less can be reserved.
    public func charge(_ count: Int) { budget.state.withLock { add(count, &$0) } }

    /// Gives back what was reserved or charged.
    public func release(_ count: Int) {
      budget.state.withLock { state in
        precondition(count <= state.accounts[index].reserved, "more was released than was reserved")
        add(-count, &state)
      }
    }

    private func fits(_ count: Int, _ state: State) -> Bool {
      count <= bytes - state.accounts[index].reserved && count <= budget.bytes - state.reserved
    }

    private func add(_ count: Int, _ state: inout State) {
      state.accounts[index].reserved += count
      state.reserved += count
    }
  }
}
