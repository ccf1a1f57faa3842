import AdapterFormat
import Aggregation
import Testing

struct InitialAdapterTests {
    private let module = ModuleShape(name: "fc1", inputs: 64, outputs: 20, maximumRank: 60, hasBias: true)

    @Test func `A fills its bound and everything else is zero`() throws {
        let factors = try #require(InitialAdapter(seed: 7).factors(of: module, rank: 60))
        #expect(factors.a.allSatisfy { abs($0) <= 0.125 })
        #expect(factors.a.contains { $0 > 0.12 } && factors.a.contains { $0 < -0.12 })
        let variance = factors.a.reduce(0) { $0 + Double($1) * Double($1) } / Double(factors.a.count)
        #expect(abs(variance - 0.125 * 0.125 / 3) < 0.0003)
        #expect(factors.b.allSatisfy { $0 == 0 })
        #expect(factors.bias == [Float](repeating: 0, count: 20))
    }

    @Test func `dense tensors begin as their settings say`() throws {
        func values(_ initial: AdapterShape.InitialValues) -> [Float]? {
            InitialAdapter(seed: 7).values(of: .init(name: "d", shape: [200, 3], initial: initial))
        }
        #expect(values(.base) == nil)
        #expect(values(.zeros) == [Float](repeating: 0, count: 600))
        #expect(values(.ones) == [Float](repeating: 1, count: 600))
        let drawn = try #require(values(.normal(0.5)))
        let variance = drawn.reduce(0) { $0 + Double($1) * Double($1) } / 600
        #expect(abs(variance - 0.25) < 0.05)
        #expect(values(.normal(0.5)) == drawn)
    }

    @Test func `a module is the same drawn alone, and its rows the same at any rank`() throws {
        let initial = InitialAdapter(seed: 7)
        let full = try #require(initial.factors(of: module, rank: 60))
        #expect(initial.factors(of: module, rank: 5) == full.prefix(rank: 5))
        #expect(initial.factors(of: module, rank: 99) == full)
        let wider = ModuleShape(name: "fc1", inputs: 64, outputs: 20, maximumRank: 80, hasBias: true)
        #expect(initial.factors(of: wider, rank: 60) == full)
    }

    @Test func `another seed, round or module draws other numbers`() throws {
        let a = try #require(InitialAdapter(seed: 7).factors(of: module, rank: 1)?.a)
        let other = ModuleShape(name: "fc2", inputs: 64, outputs: 20, maximumRank: 60)
        #expect(InitialAdapter(seed: 8).factors(of: module, rank: 1)?.a != a)
        #expect(InitialAdapter(seed: 7, round: 1).factors(of: module, rank: 1)?.a != a)
        #expect(InitialAdapter(seed: 7).factors(of: other, rank: 1)?.a != a)
    }
}
