import AdapterFormat
import Aggregation
import Foundation
import Testing

/// The cases that the definitions of the strategies come with.
struct VectorTests {
    struct Case: Decodable {
        struct Update: Decodable {
            let file: String
            let samples: Int
            let scale: Double
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
        let adapter: String
    }

    @Test(arguments: try FileManager.default.contentsOfDirectory(atPath: Fixtures.vectors.path).sorted(), [1, 2])
    func `a case comes out as expected`(name: String, threads: Int) throws {
        let folder = Fixtures.vectors.appending(path: name)
        let round = try JSONDecoder().decode(
            Case.self, from: Data(contentsOf: folder.appending(path: "case.json")))
        func file(_ name: String) throws -> AdapterFile {
            try AdapterFile(SafetensorsFile(path: folder.appending(path: name).path))
        }
        let scaling: Scaling =
            switch round.scaling.mode {
            case "constant": .constant(try #require(round.scaling.value))
            case "lora": .lora(alpha: try #require(round.scaling.alpha))
            default: .rslora(alpha: try #require(round.scaling.alpha))
            }
        let expected = try file(round.adapter)
        let shape = try AdapterShape(template: expected)
        // Whether the scale is given or follows from the rank makes no difference.
        let contributions = try round.updates.enumerated().map { index, update in
            Contribution(
                client: "client-\(index)", adapter: try file(update.file), samples: update.samples,
                scale: index.isMultiple(of: 2) ? update.scale : nil)
        }
        var result = MemoryAdapter()
        try Aggregator(
            strategy: Strategy(named: round.strategy, weighting: round.weighting), shape: shape, scaling: scaling
        ).aggregate(contributions, previous: round.previous.map(file), threads: threads, into: &result)
        for module in shape.modules {
            let factors = try #require(result.modules[module.name])
            let wanted = try #require(expected.factors(of: module, rank: round.rank))
            #expect(relativeError(factors.a, wanted.a) <= 1e-5)
            #expect(relativeError(factors.b, wanted.b) <= 1e-5)
        }
        for tensor in shape.dense {
            let values = try #require(result.dense[tensor.name])
            #expect(relativeError(values, try #require(expected.values(of: tensor))) <= 1e-5)
        }
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
