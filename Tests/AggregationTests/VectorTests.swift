import AdapterFormat
import Foundation
import Testing

@testable import Aggregation

/// The cases that the definitions of the strategies come with.
struct VectorTests {
    struct Case: Decodable {
        struct Update: Decodable {
            let file: String
            let samples: Int
            let scale: Double
            let accuracy: Double
        }
        struct Scale: Decodable {
            let mode: String
            let value: Double?
            let alpha: Double?
        }
        let strategy: String
        let rank: Int
        let scaling: Scale
        let weighting: String
        let updates: [Update]
        let previous: String?
        let round: Int
        let residualRank: Double?
        let ridge: Double?
        let adapter: String
        let merge: String?
        let compare: String
        let robust: [String: RobustValue]?

        /// A rule's name, or the value of one of its parameters.
        enum RobustValue: Decodable {
            case name(String)
            case number(Double)

            init(from decoder: any Decoder) throws {
                let value = try decoder.singleValueContainer()
                if let name = try? value.decode(String.self) {
                    self = .name(name)
                } else {
                    self = .number(try value.decode(Double.self))
                }
            }
        }

        var rule: RobustRule? {
            get throws {
                guard let robust, case .name(let name) = robust["rule"] else { return nil }
                return try RobustRule(
                    named: name,
                    parameters: robust.compactMapValues {
                        if case .number(let value) = $0 { .number(value) } else { nil }
                    })
            }
        }

        var parameters: [String: ParameterValue] {
            var values: [String: ParameterValue] = [:]
            values["residual_rank"] = residualRank.map { .number($0) }
            values["ridge"] = ridge.map { .number($0) }
            if strategy == "fedex" { values["allow_inexact"] = .flag(true) }
            return values
        }
    }

    @Test(arguments: try FileManager.default.contentsOfDirectory(atPath: Fixtures.vectors.path).sorted(), [1, 2])
    func `a case comes out as expected`(name: String, threads: Int) throws {
        let folder = Fixtures.vectors.appending(path: name)
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        let round = try decoder.decode(Case.self, from: Data(contentsOf: folder.appending(path: "case.json")))
        func file(_ name: String) throws -> AdapterFile {
            try AdapterFile(SafetensorsFile(path: folder.appending(path: name).path))
        }
        let scaling: Scaling =
            switch round.scaling.mode {
            case "constant": .constant(try #require(round.scaling.value))
            case "lora": .lora(alpha: try #require(round.scaling.alpha))
            default: .rslora(alpha: try #require(round.scaling.alpha))
            }
        // Whether the scale is given or follows from the rank makes no difference.
        let contributions = try round.updates.enumerated().map { index, update in
            Contribution(
                client: "client-\(index)", adapter: try file(update.file), samples: update.samples,
                scale: index.isMultiple(of: 2) ? update.scale : nil, accuracy: update.accuracy)
        }
        let expected = try file(round.adapter)
        let previous = try round.previous.map(file)
        let shape = try Self.shape(
            of: contributions.map { try $0.open() } + [previous].compactMap(\.self), rank: round.rank)
        var result = MemoryRound()
        try Aggregator(
            strategy: Strategy(
                named: round.strategy, weighting: round.weighting, parameters: round.parameters, robust: round.rule),
            shape: shape, scaling: scaling
        ).aggregate(
            contributions, round: round.round, after: EarlierRound(previous: previous),
            threads: threads, into: &result)
        for module in expected.modules.compactMap(\.shape) {
            let factors = try #require(result.adapter.modules[module.name])
            let wanted = try #require(expected.factors(of: module, rank: module.maximumRank))
            if round.compare == "factors" {
                #expect(relativeError(factors.a, wanted.a) <= 1e-5)
                #expect(relativeError(factors.b, wanted.b) <= 1e-5)
            }
            #expect(relativeError(product(factors), product(wanted)) <= 1e-4)
        }
        for tensor in shape.dense {
            let values = try #require(result.adapter.dense[tensor.name])
            #expect(relativeError(values, try #require(expected.values(of: tensor))) <= 1e-5)
        }
        let merge = try round.merge.map(file)
        #expect(Set(result.merge.keys) == Set(merge?.modules.map(\.name) ?? []))
        for module in merge?.modules.compactMap(\.shape) ?? [] {
            let factors = try #require(result.merge[module.name])
            let wanted = try #require(merge?.factors(of: module, rank: module.maximumRank))
            #expect(relativeError(product(factors), product(wanted)) <= 1e-4)
            #expect(result.outline?.mergeRanks[module.name] == factors.rank)
        }
    }

    private static func shape(of files: [AdapterFile], rank: Int) throws -> AdapterShape {
        var modules: [String: ModuleShape] = [:]
        var dense: [String: AdapterShape.Dense] = [:]
        for file in files {
            for module in file.modules.compactMap(\.shape) {
                modules[module.name] = ModuleShape(
                    name: module.name, kind: module.kind, inputs: module.inputs, outputs: module.outputs,
                    maximumRank: rank, hasBias: module.hasBias)
            }
            for tensor in file.dense { dense[tensor.name] = .init(name: tensor.name, shape: tensor.values.shape) }
        }
        return try AdapterShape(modules: Array(modules.values), dense: Array(dense.values))
    }

    /// B·A, (outputs × inputs).
    private func product(_ factors: ModuleFactors) -> [Float] {
        var product = [Double](repeating: 0, count: factors.outputs * factors.inputs)
        for component in 0..<factors.rank {
            for row in 0..<factors.outputs {
                let b = Double(factors.b[component * factors.outputs + row])
                for column in 0..<factors.inputs {
                    product[row * factors.inputs + column] += b * Double(factors.a[component * factors.inputs + column])
                }
            }
        }
        return product.map { Float($0) }
    }

    /// ‖x − y‖ / ‖y‖.
    private func relativeError(_ values: [Float], _ expected: [Float]) -> Double {
        guard values.count == expected.count else { return .infinity }
        var error = 0.0
        var norm = 0.0
        for (value, wanted) in zip(values, expected) {
            error += (Double(value) - Double(wanted)) * (Double(value) - Double(wanted))
            norm += Double(wanted) * Double(wanted)
        }
        return norm == 0 ? error.squareRoot() : (error / norm).squareRoot()
    }
}
