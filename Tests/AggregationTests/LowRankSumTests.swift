import AdapterFormat
import LinearAlgebra
import Testing

@testable import Aggregation

struct LowRankSumTests {
    private let shape = ModuleShape(name: "m", inputs: 6, outputs: 4, maximumRank: 2, hasBias: true)

    private func drawn(_ seed: UInt64, rank: Int) -> ModuleFactors {
        var generator = SeededGenerator(seed: seed, stream: "low rank sum")
        func values(_ count: Int) -> [Float] { (0..<count).map { _ in Float(generator.normal()) } }
        return ModuleFactors(
            rank: rank, inputs: 6, outputs: 4, a: values(6 * rank), b: values(4 * rank), bias: values(4))
    }

    private func product(_ factors: ModuleFactors, scale: Double = 1) -> [Double] {
        (0..<4).flatMap { row in
            (0..<6).map { column in
                scale
                    * (0..<factors.rank).reduce(0.0) {
                        $0 + Double(factors.b[$1 * 4 + row]) * Double(factors.a[$1 * 6 + column])
                    }
            }
        }
    }

    @Test func `a sum below the smaller side is the components as they came`() throws {
        var sum = LowRankSum(shape: shape)
        #expect(try sum.factors() == nil)
        let (one, two) = (drawn(1, rank: 1), drawn(2, rank: 2))
        sum.add(one)
        sum.add(two, scale: 2)
        let factors = try #require(try sum.factors())
        #expect(factors.rank == 3)
        #expect(factors.a == one.a + two.a)
        #expect(factors.b == one.b + two.b.map { 2 * $0 })
        #expect(factors.bias == zip(one.bias ?? [], two.bias ?? []).map { $0 + 2 * $1 })
    }

    @Test func `a sum that outgrows the smaller side is recompressed to it without loss`() throws {
        var sum = LowRankSum(shape: shape)
        var expected = [Double](repeating: 0, count: 24)
        for seed in 1...5 as ClosedRange<UInt64> {
            let factors = drawn(seed, rank: 2)
            sum.add(factors)
            expected = zip(expected, product(factors)).map { $0 + $1 }
        }
        let factors = try #require(try sum.factors())
        #expect(factors.rank == 4)
        for (value, wanted) in zip(product(factors), expected) { #expect(abs(value - wanted) < 1e-4) }
        #expect(try sum.factors(rankLimit: 2)?.rank == 2)
        #expect(try sum.factors(rankLimit: 20)?.rank == 4)
    }
}
