import Budget
import Testing

@Suite struct MemoryBudgetTests {
  @Test func anAccountKeepsItsOwnBound() {
    let answers = MemoryBudget(bytes: 1000).account("answers", bytes: 100)
    #expect(answers.reserve(60))
    #expect(!answers.reserve(41))
    #expect(answers.hasRoom(for: 40))
    #expect(!answers.hasRoom(for: 41))
    #expect(answers.reserve(40))
    #expect(answers.reserved == 100)
    answers.release(60)
    #expect(answers.reserve(60))
  }

  @Test func accountsTogetherKeepTheBudget() {
    let budget = MemoryBudget(bytes: 100)
    let (answers, bodies) = (budget.account("answers"), budget.account("bodies", bytes: 70))
    #expect(answers.bytes == 100)
    #expect(answers.reserve(50))
    #expect(!bodies.reserve(51))
    #expect(bodies.reserve(50))
    #expect(budget.reserved == 100)
    answers.release(50)
    #expect(!bodies.reserve(21))
    #expect(bodies.reserve(20))
    #expect(budget.usage.map(\.name) == ["answers", "bodies"])
    #expect(budget.usage.map(\.reserved) == [0, 70])
    #expect(budget.usage.map(\.refusals) == [0, 2])
  }

  @Test func whatIsChargedBeyondTheBoundLeavesNoRoom() {
    let answers = MemoryBudget(bytes: 100).account("answers")
    answers.charge(150)
    #expect(answers.reserved == 150)
    #expect(!answers.hasRoom(for: 1))
    answers.release(60)
    #expect(answers.reserve(10))
    #expect(!answers.reserve(1))
  }

  @Test func manyThreadsNeverExceedIt() async {
    let budget = MemoryBudget(bytes: 1000)
    let account = budget.account("answers")
    let granted = await withTaskGroup(of: Int.self) { group in
      for _ in 0..<8 {
        group.addTask { (0..<100).reduce(0) { sum, _ in sum + (account.reserve(3) ? 3 : 0) } }
      }
      return await group.reduce(0, +)
    }
    #expect(granted == 999)
    #expect(budget.reserved == 999)
  }
}
