import AdapterFormat
import Testing

@testable import Aggregation

struct StrategyTests {
    @Test func `a strategy is made by its name and weighting`() throws {
        #expect(Strategy.names == ["fedavg", "rbla", "zeropad"])
        for name in Strategy.names {
            for weighting in Weighting.allCases {
                let strategy = try Strategy(named: name, weighting: weighting.rawValue)
                #expect(strategy.name == name)
                #expect(strategy.weighting == weighting)
            }
        }
    }

    @Test func `an unknown name is answered with the known ones`() {
        let unknown = #expect(throws: StrategyError.self) { try Strategy(named: "fedprox") }
        #expect(unknown?.description == "there is no strategy fedprox; there are fedavg, rbla, zeropad")
        let weighting = #expect(throws: StrategyError.self) { try Strategy(named: "rbla", weighting: "age") }
        #expect(weighting?.description == "there is no weighting age; there are samples, uniform")
        let parameter = #expect(throws: StrategyError.self) { try Strategy(named: "rbla", parameters: ["mu": 1]) }
        #expect(parameter?.description == "rbla has no parameter mu")
    }

    @Test func `fedavg refuses an update below the full rank in words to act on`() throws {
        let shape = try AdapterShape(modules: [ModuleShape(name: "fc1", inputs: 2, outputs: 3, maximumRank: 2)])
        let low = try adapterFile([
            ("fc1.lora_A.weight", [1, 2], [1, 2]), ("fc1.lora_B.weight", [3, 1], [1, 2, 3]),
        ])
        let error = #expect(throws: AdapterError.self) {
            try Strategy(named: "fedavg").validate(low, shape: shape, ranks: [:])
        }
        #expect(
            error?.description
                == "fc1.lora_A.weight has rank 1; this federation's strategy needs rank 2 of every client")
        try Strategy(named: "rbla").validate(low, shape: shape, ranks: [:])
    }

    @Test func `an update with a number that is not finite is refused`() throws {
        let shape = try AdapterShape(modules: [ModuleShape(name: "fc1", inputs: 2, outputs: 1, maximumRank: 2)])
        let update = try adapterFile([
            ("fc1.lora_A.weight", [1, 2], [1, .nan]), ("fc1.lora_B.weight", [1, 1], [1]),
        ])
        #expect(throws: AdapterError.notFinite(tensor: "fc1.lora_A.weight", count: 1)) {
            try Strategy(named: "rbla").validate(update, shape: shape, ranks: [:])
        }
    }
}
