import Testing

@Suite struct OrderRulesTests {
  private func found(_ text: String, members: OrderRules.Names = .init()) -> [Int] {
    OrderRules.unorderedIteration(SwiftSource(path: "Sources/Raft/File.swift", text: text), members: members).map(\.line)
  }

  private static let declarations = "let d: [Int: Int]; var s = Set<Int>(); func f(g: Dictionary<Int, Int>?, a: [Int]) {}\n"

  @Test(arguments: [
    "for x in d { }", "for (k, v) in self.d where k > v { }", "for x in a.b.s { }", "for x in s.subtracting(a) { }",
    "for x in d.filter { $0.key > 1 } { }", "let x = d.map { $0 }", "let x = g?.first", "s.forEach { f($0) }", "let x = Array(s)",
    "let x = Array(self.s)", "a.append(contentsOf: s)", "let x = d.reduce(0) { $0 + $1.value }", "let x = d.keys.map { $0 }",
    "for k in other.keys { }", "let x = d.min { $0.value < $1.value }", "let x = unheard().values.first", "f(d.values)",
    "for x in d { y.sorted() }", "for k in d.keys { y.sorted() }", "s.forEach { $0.sorted() }",
    "func f(z: inout [Int: Int]) { for x in z { } }",
  ]) func walksAreFound(text: String) {
    #expect(found(Self.declarations + text) == [2])
  }

  @Test(arguments: [
    "let x = d[1]", "for x in a { }", "for x in d.sorted(by: <) { }", "for k in d.keys.sorted() { }",
    "a[1] = [2: 3]; let x = [4].map { $0 }",
    "let x = d.values.map(\\.term).sorted()", "for x in d.filter({ $0.key > 1 }).sorted(by: <) { }", "let x = s.map { $0 }.sorted()[1]",
    "if s.contains(1) { }",
    "for x in d[1, default: []] { }", "let n = d.count", "s.insert(1)", "let x = d.mapValues { $0 + 1 }", "if d.values.contains(1) { }",
    "a.map { s.contains($0) }", "f(d: 1)", "d.removeAll(keepingCapacity: true)", "let x = s.min()", "for i in 0..<s.count { }",
    "case .keys: break", "self.keys = a", "let c = a.filter { x in s.contains(x) }",
  ]) func lookupsAreNot(text: String) {
    #expect(found(Self.declarations + text) == [])
  }

  @Test func aReasonAllowsAWalk() {
    let walk = Self.declarations + "for x in d { total += x } // house: ordered, because "
    #expect(found(walk + "addition is commutative") == [])
    #expect(found(walk) == [2])
    #expect(found(Self.declarations + "// house: ordered, because addition is commutative\nfor x in d { total += x }") == [])
  }

  @Test func aReasonWithoutAWalkIsFound() {
    #expect(found("\nlet a = 1 // house: ordered, because addition is commutative") == [2])
  }

  @Test func membersOfOtherFilesCountUnlessTheNameIsDeclaredHere() {
    let members = OrderRules.names(in: SwiftSource(path: "Sources/Raft/Other.swift", text: "struct S { var peers: [Int: Int] }"))
    #expect(found("for p in peers { }", members: members) == [1])
    #expect(found("func f(peers: [Int]) { for p in peers { } }", members: members) == [])
  }

  @Test func anArrayThatIsCalledKeysIsNoDictionary() {
    #expect(found("struct Request { var keys: [Int] }\nfunc f(r: Request) { for k in r.keys { } }") == [])
  }

  @Test func otherTargetsAreFree() {
    let source = SwiftSource(path: "Sources/Server/File.swift", text: "func f(d: [Int: Int]) { for x in d { } }")
    #expect(OrderRules.unorderedIteration(source) == [])
  }
}
