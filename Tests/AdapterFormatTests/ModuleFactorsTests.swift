import Testing

@testable import AdapterFormat

struct ModuleFactorsTests {
    /// Three outputs of rank two; B[o][r] = 10·o + r.
    private let given = ModuleFactors(
        rank: 2, inputs: 1, outputs: 3, a: [1, 2], outputMajorB: [0, 1, 10, 11, 20, 21])
    private let byComponent = ModuleFactors(rank: 2, inputs: 1, outputs: 3, a: [1, 2], b: [0, 10, 20, 1, 11, 21])

    @Test func `B is the same however it was given`() {
        #expect(given == byComponent)
        #expect(given.b == byComponent.b)
        #expect(given.outputMajorB(scaledBy: 2) == byComponent.outputMajorB(scaledBy: 2))
        #expect(given.prefix(rank: 1) == byComponent.prefix(rank: 1))
    }

    @Test func `a change by component shows in both forms`() {
        var changed = given
        changed.b[4] = 5
        #expect(changed.b == [0, 10, 20, 1, 5, 21])
        #expect(changed.outputMajorB() == [0, 1, 10, 5, 20, 21])
        #expect(changed != given)
    }
}
