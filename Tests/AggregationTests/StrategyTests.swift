import AdapterFormat
import Testing

@testable import Aggregation

struct StrategyTests {
    @Test func `a strategy is made by its name and weighting`() throws {
        #expect(
            Strategy.names == [
                "fdlora", "fedavg", "fedex", "ffa", "flexlora", "flora", "hetlora", "lora-fair", "rac-lora", "raflora",
                "rbla", "rolora", "sa-fedlora", "slora", "zeropad",
            ])
        for name in Strategy.names {
            #expect(try Strategy(named: name).weighting.name == (name == "hetlora" ? "norm" : "samples"))
            for weighting in Weighting.names where name != "hetlora" {
                let strategy = try Strategy(named: name, weighting: weighting)
                #expect(strategy.name == name)
                #expect(strategy.weighting.name == weighting)
                #expect(strategy.needsAccuracy == (weighting == "ranking"))
            }
        }
    }

    @Test func `an unknown name is answered with the known ones`() {
        func refusal(_ make: () throws -> Strategy) -> String? {
            #expect(throws: StrategyError.self) { try make() }?.description
        }
        #expect(
            refusal { try Strategy(named: "fedprox") }
                == "there is no strategy fedprox; there are " + Strategy.names.joined(separator: ", "))
        #expect(
            refusal { try Strategy(named: "rbla", weighting: "age") }
                == "there is no weighting age; there are samples, uniform, norm, ranking, loss")
        #expect(
            refusal { try Strategy(named: "rbla", parameters: ["mu": .number(1)]) }
                == "rbla has no parameter mu; it has none")
        #expect(
            refusal { try Strategy(named: "fedex", parameters: ["mu": .number(1)]) }
                == "fedex has no parameter mu; it has allow_inexact, residual_rank")
        #expect(
            refusal { try Strategy(named: "hetlora", weighting: "samples") }
                == "hetlora always weighs by norm, not by samples")
        #expect(
            refusal { try Strategy(named: "flexlora", optimizer: .momentum(rate: 1)) }
                == "flexlora takes no server optimizer: its factors are not those of the round before, moved on")
    }

    @Test(
        arguments: [
            ("fedex", "residual_rank", ParameterValue.number(1.5), "a whole number from 1 to 65536"),
            ("fedex", "residual_rank", .flag(true), "a whole number"),
            ("fedex", "allow_inexact", .number(1), "true or false"),
            ("lora-fair", "ridge", .number(0), "a number from 1e-12 to 1000000000000.0"),
            ("hetlora", "gamma", .number(1), "a number from 0.0 to 0.999999"),
            ("hetlora", "gamma", .number(.nan), "a number from 0.0 to 0.999999"),
            ("sa-fedlora", "cooling", .number(2), "a number from 1e-09 to 1.0"),
        ])
    func `a parameter that cannot be is refused with what is expected`(
        strategy: String, name: String, value: ParameterValue, expected: String
    ) {
        #expect(
            throws: StrategyError.parameter(strategy: strategy, name: name, expected: expected, found: "\(value)")
        ) { try Strategy(named: strategy, parameters: [name: value]) }
    }

    @Test func `DoRA magnitudes do not go with a merge`() throws {
        let shape = try AdapterShape(
            modules: [ModuleShape(name: "fc1", inputs: 2, outputs: 3, maximumRank: 2)],
            dense: [.init(name: "fc1.lora_magnitude_vector", shape: [3], initial: .zeros)])
        for name in Strategy.names {
            let strategy = try Strategy(named: name)
            if strategy.publishesMerge {
                #expect(throws: StrategyError.self) { try strategy.check(shape) }
            } else {
                try strategy.check(shape)
            }
        }
        #expect(
            try Strategy.names.filter { try Strategy(named: $0).publishesMerge } == ["fedex", "flora", "rac-lora"])
    }

    @Test func `clients are asked for what a strategy aggregates`() throws {
        let rolora = try Strategy(named: "rolora")
        #expect((1...4).map { rolora.demand(in: $0).factors } == [.b, .a, .b, .a])
        #expect(try Strategy(named: "ffa").demand(in: 7) == ClientDemand(factors: .b, drawnRound: 0))
        #expect(
            try Strategy(named: "rac-lora").demand(in: 7)
                == ClientDemand(factors: .b, isFresh: true, drawnRound: 6))
        #expect(try Strategy(named: "flora").demand(in: 3) == ClientDemand(isFresh: true, drawnRound: 2))
        let annealed = try Strategy(
            named: "sa-fedlora",
            parameters: ["warmup_rounds": .number(2), "cooling": .number(0.5), "min_rank": .number(3)])
        #expect((1...3).map { annealed.demand(in: $0).penalty } == [0.001, 0.001, 0])
        #expect((0...6).map { annealed.rank(16, in: $0) } == [16, 16, 16, 8, 4, 3, 3])
        #expect(annealed.rank(2, in: 5) == 2)
        #expect(try Strategy(named: "hetlora").demand(in: 1).pruning?.gamma == 0.99)
        let sparse = try Strategy(named: "slora", parameters: ["sparse_rounds": .number(2)])
        #expect((1...3).map { sparse.demand(in: $0).sparse?.density } == [0.01, 0.01, nil])
        #expect(try Strategy(named: "slora", parameters: ["sparse_rounds": .number(0)]).demand(in: 1).sparse == nil)
    }

    @Test func `the sparse stage ends with the first round from its last on that is published`() throws {
        let shape = try AdapterShape(modules: [ModuleShape(name: "fc1", inputs: 9, outputs: 9, maximumRank: 2)])
        let slora = try Strategy(named: "slora", parameters: ["sparse_rounds": .number(2)])
        // Round 2 failed, and so did round 3.
        #expect(slora.demand(in: 3, after: 1).sparse != nil)
        #expect(slora.demand(in: 4, after: 1).sparse != nil)
        #expect(slora.updateShape(of: shape, round: 4, after: 1).modules.isEmpty)
        #expect(slora.publishedShape(of: shape, round: 4) == shape)
        #expect(slora.demand(in: 5, after: 4).sparse == nil)
        #expect(slora.updateShape(of: shape, round: 5, after: 4) == shape)
    }

    @Test func `a strategy says what it was composed of, defaults included`() throws {
        #expect(try Strategy(named: "rbla").parameters.isEmpty)
        #expect(
            try Strategy(named: "slora", parameters: ["density": .number(0.5), "sparse_rounds": .null]).parameters
                == ["density": .number(0.5), "sparse_rounds": .number(5)])
        #expect(
            try Strategy(named: "fedex").parameters == ["residual_rank": .null, "allow_inexact": .flag(false)])
        #expect(
            try Strategy(named: "flora", weighting: "ranking").parameters == ["norm_share": .number(0.5)])
        for name in Strategy.names {
            let strategy = try Strategy(named: name)
            let again = try Strategy(named: name, parameters: strategy.parameters)
            #expect(again.parameters == strategy.parameters)
        }
    }

    @Test func `fedavg refuses an update below the full rank in words to act on`() throws {
        let shape = try AdapterShape(modules: [ModuleShape(name: "fc1", inputs: 2, outputs: 3, maximumRank: 2)])
        let low = try adapterFile([
            ("fc1.lora_A.weight", [1, 2], [1, 2]), ("fc1.lora_B.weight", [3, 1], [1, 2, 3]),
        ])
        let error = #expect(throws: AdapterError.self) {
            try Strategy(named: "fedavg").validate(low, shape: shape, ranks: [:], round: 1)
        }
        #expect(
            error?.description
                == "fc1.lora_A.weight has rank 1; this federation's strategy needs rank 2 of every client")
        try Strategy(named: "rbla").validate(low, shape: shape, ranks: [:], round: 1)
    }

    @Test func `an update with a number that is not finite is refused`() throws {
        let shape = try AdapterShape(modules: [ModuleShape(name: "fc1", inputs: 2, outputs: 1, maximumRank: 2)])
        let update = try adapterFile([
            ("fc1.lora_A.weight", [1, 2], [1, .nan]), ("fc1.lora_B.weight", [1, 1], [1]),
        ])
        #expect(throws: AdapterError.notFinite(tensor: "fc1.lora_A.weight", count: 1)) {
            try Strategy(named: "rbla").validate(update, shape: shape, ranks: [:], round: 1)
        }
    }
}
