import AdapterFormat
import Testing

@testable import Aggregation

struct WeightingTests {
    private let module = ModuleShape(name: "m", inputs: 2, outputs: 2, maximumRank: 1)

    /// ‖B·A‖ = 2·|value|.
    private func contribution(
        _ client: String, _ value: Float, samples: Int, accuracy: Double? = nil, loss: Double? = nil,
        discount: Double = 1, scale: Double? = nil
    ) throws -> Contribution {
        Contribution(
            client: client,
            adapter: try adapterFile([
                ("m.lora_A.weight", [1, 2], [1, 1]), ("m.lora_B.weight", [2, 1], [value, value]),
            ]), samples: samples, scale: scale, accuracy: accuracy, loss: loss, discount: discount)
    }

    private func b(
        _ weighting: String, _ contributions: [Contribution], _ parameters: [String: ParameterValue] = [:]
    ) throws -> Float? {
        var result = MemoryRound()
        try Aggregator(
            strategy: Strategy(named: "rbla", weighting: weighting, parameters: parameters),
            shape: AdapterShape(modules: [module]),
            scaling: .constant(1)
        ).aggregate(contributions, round: 1, threads: 1, into: &result)
        return result.adapter.modules["m"]?.b[0]
    }

    @Test func `weights by loss favour whom the model serves worst`() throws {
        let contributions = [
            try contribution("a", 1, samples: 2, loss: 0.5), try contribution("b", -3, samples: 1, loss: 3),
        ]
        // (2·0.5·1 + 1·3·(−3)) / 4, and with squares (2·0.25·1 + 9·(−3)) / 9.5
        #expect(try b("loss", contributions) == -2)
        #expect(try b("loss", contributions, ["q": .number(2)]).map { abs($0 + 26.5 / 9.5) < 1e-6 } == true)
        #expect(try b("loss", contributions, ["q": .number(0)]) == b("samples", contributions))
        for loss in [nil, -1, .nan] as [Double?] {
            let lacking = try contribution("c", 1, samples: 1, loss: loss)
            #expect(throws: AggregationError.noLoss(client: "c")) { try b("loss", contributions + [lacking]) }
        }
        #expect(throws: StrategyError.self) { try b("loss", contributions, ["q": .number(-1)]) }
        #expect(throws: StrategyError.self) { try b("samples", contributions, ["q": .number(1)]) }
    }

    @Test func `norm weights are the norms of the scaled products`() throws {
        let contributions = [
            try contribution("a", 1, samples: 9), try contribution("b", -3, samples: 1),
        ]
        // (1·1 + 3·(−3)) / 4
        #expect(try b("norm", contributions) == -2)
        // A scale of 3 makes the first as heavy as the second, and its B three times as large at scale 1.
        let scaled = [try contribution("a", 1, samples: 9, scale: 3), contributions[1]]
        #expect(try b("norm", scaled) == 0)
    }

    @Test func `norms that are all zero fall back to samples`() throws {
        let contributions = [try contribution("a", 0, samples: 3), try contribution("b", 0, samples: 0)]
        #expect(try b("norm", contributions) == 0)
        #expect(throws: AggregationError.noWeight) { try b("norm", [contributions[1]]) }
    }

    @Test func `equal values share their mean position`() {
        #expect(Weighting.positions(of: [5, 1, 5, 9]) == [0.625, 0.25, 0.625, 1])
        #expect(Weighting.positions(of: [2, 2]) == [0.75, 0.75])
        #expect(Weighting.positions(of: [7]) == [1])
    }

    @Test func `ranking needs an accuracy of everybody`() throws {
        let contributions = [
            try contribution("a", 1, samples: 1, accuracy: 0.2), try contribution("b", 2, samples: 1),
        ]
        #expect(throws: AggregationError.noAccuracy(client: "b")) { try b("ranking", contributions) }
        let complete = [contributions[0], try contribution("b", 2, samples: 1, accuracy: 0.9)]
        // Positions 1/2 and 1: (0.5·1 + 1·2) / 1.5
        #expect(try b("ranking", complete).map { abs($0 - 5 / 3) < 1e-6 } == true)
    }

    @Test func `an old update counts for less`() throws {
        #expect(Contribution.stalenessDiscount(age: 0) == 1)
        #expect(Contribution.stalenessDiscount(age: 3) == 0.5)
        #expect(Contribution.stalenessDiscount(age: 1, exponent: 1) == 0.5)
        let contributions = [
            try contribution("a", 1, samples: 1),
            try contribution("b", 4, samples: 1, discount: Contribution.stalenessDiscount(age: 3)),
        ]
        #expect(try b("samples", contributions) == 2)
    }

    @Test func `a factor that was not sent counts as the server's in a norm`() throws {
        let shape = try AdapterShape(modules: [module])
        func onlyB(_ value: Float) throws -> AdapterFile {
            try adapterFile([("m.lora_B.weight", [2, 1], [value, value])])
        }
        let previous = MemoryAdapter(
            modules: ["m": ModuleFactors(rank: 1, inputs: 2, outputs: 2, a: [1, 1], b: [0, 0])])
        var result = MemoryRound()
        try Aggregator(strategy: Strategy(named: "ffa", weighting: "norm"), shape: shape, scaling: .constant(1))
            .aggregate(
                [
                    Contribution(client: "a", adapter: try onlyB(1), samples: 1),
                    Contribution(client: "b", adapter: try onlyB(-3), samples: 1),
                ], round: 1, after: EarlierRound(previous: previous), threads: 1, into: &result)
        #expect(result.adapter.modules["m"]?.b == [-2, -2])
        #expect(result.adapter.modules["m"]?.a == [1, 1])
    }
}
