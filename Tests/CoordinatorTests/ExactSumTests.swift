import AdapterFormat
import Aggregation
import Federation
import Foundation
import Testing

@testable import Coordinator

/// Rounds of federations under `sum: exact`.
@Suite struct ExactSumTests {
    /// Writes what is published as an adapter's file.
    private struct FileSink: RoundSink, ~Copyable {
        let descriptor: Int32
        private var writer: AdapterWriter?

        init(descriptor: Int32) { self.descriptor = descriptor }

        mutating func begin(_ outline: RoundOutline) throws {
            writer = try AdapterWriter(shape: outline.shape, descriptor: descriptor)
        }

        mutating func take(_ result: ModuleResult, of module: ModuleShape) throws {
            try writer?.take(result.factors, of: module)
        }

        mutating func take(_ values: [Float], of tensor: AdapterShape.Dense) throws {
            try writer?.take(values, of: tensor)
        }

        mutating func finish() throws {
            if let writer = writer.take() { try writer.finish() }
        }
    }

    private static func withFile<Result>(_ path: String, _ body: (Int32) throws -> Result) throws -> Result {
        let descriptor = open(path, O_RDWR | O_CREAT | O_TRUNC, 0o600)
        try #require(descriptor >= 0)
        defer { close(descriptor) }
        return try body(descriptor)
    }

    private static let clients: [(name: String, rank: Int, value: Float, samples: Int)] = [
        ("a", 2, 1.0 / 3, 30), ("b", 4, 0.1, 7), ("c", 4, -7.25, 999), ("d", 1, 1e-6, 1),
    ]

    @Test(arguments: ["rbla", "zeropad", "ffa", "rolora"])
    func `a server publishes the bytes that parts of the round come to`(name: String) async throws {
        let server = try await TestServer()
        let federation = try await server.federation(
            rounds: 1, minimum: 4, strategy: .init(name: name, sum: .exact)
        ) { $0.limits.factorOverMedian = nil }
        for client in Self.clients { _ = try await server.register(client.name, rank: client.rank, in: federation) }
        try await server.aggregating {
            for client in Self.clients.reversed() {
                _ = try await server.send(
                    try adapterFile(rank: client.rank, value: client.value), of: try ClientName(client.name), round: 1,
                    samples: client.samples, in: federation)
            }
            try await server.wait(in: federation) { $0.state == .finished }
        }
        let published = try await server.services.adapters.file(round: 1, rank: nil, elementType: nil, of: federation)

        let plan = try AdapterPlan(try server.snapshot(federation).settings)
        #expect(plan.strategy.sum == .exact)
        let aggregator = Aggregator(strategy: plan.strategy, shape: plan.shape, scaling: plan.scaling)
        let paths = try [[3, 0], [2, 1]].enumerated().map { number, members in
            let path = server.folder.path + "/part-\(number)"
            let contributions = try members.map { index in
                let client = Self.clients[index]
                return Contribution(
                    client: client.name,
                    adapter: try AdapterFile(
                        SafetensorsFile(bytes: try adapterFile(rank: client.rank, value: client.value))),
                    samples: client.samples, digest: String(repeating: "\(index)", count: 64))
            }
            try Self.withFile(path) { sum in
                try Self.withFile(PartialSumFile.listPath(of: path)) { list in
                    try aggregator.writePart(
                        of: contributions, round: 1, in: federation.rawValue, threads: 1,
                        to: PartialSumTarget(sum: sum, clients: list))
                }
            }
            return path
        }
        let path = server.folder.path + "/combined"
        try Self.withFile(path) { descriptor in
            var sink = FileSink(descriptor: descriptor)
            let initial = StoredAdapter(.adapter, of: federation, round: 0, in: server.sqlite)
            try PartialSumSet(paths: paths).publish(after: EarlierRound(initial: initial), threads: 1, into: &sink)
            try sink.finish()
        }
        let bytes = FileManager.default.contents(atPath: path)
        #expect(bytes == FileManager.default.contents(atPath: published.path))
        #expect(bytes?.isEmpty == false)
    }

    @Test func `an update that could leave the range is refused at arrival with tensor, value and bound`() async throws
    {
        let server = try await TestServer()
        let federation = try await server.federation(strategy: .init(name: "rbla", sum: .exact))
        let edge = try await server.register("edge", rank: 2, in: federation)
        _ = try await server.register("other", rank: 2, in: federation)
        // 2^38 / 10 clients, for 1000 samples: numbers of A may reach 27,487,790.69, of B half of that.
        let error = await #expect(throws: ServiceError.self) {
            try await server.send(
                try adapterFile(rank: 2, value: 2e7), of: edge, round: 1, samples: 1000, in: federation)
        }
        guard case .update(let refusal) = error else {
            Issue.record("expected a refusal, not \(String(describing: error))")
            return
        }
        #expect(refusal.code == "update.range" && refusal.tensor == "fc1.lora_B.weight")
        #expect(
            refusal.detail
                == "fc1.lora_B.weight has 20000000.0, which times weight and scale is 40000000000.0; exact sums of "
                + "at most 10 updates take less than 2^38 / 10 = 27487790694.4")
        let taken = try await server.send(
            try adapterFile(rank: 2, value: 1.3e7), of: edge, round: 1, samples: 1000, in: federation)
        #expect(taken.isNew)
        let float = try await server.federation("float")
        let other = try await server.register("third", rank: 2, in: float)
        _ = try await server.register("fourth", rank: 2, in: float)
        #expect(
            try await server.send(
                try adapterFile(rank: 2, value: 2e7), of: other, round: 1, samples: 1000, in: float
            ).isNew)
    }

    @Test func `a federation without row sums cannot sum exactly`() async throws {
        let server = try await TestServer()
        let reason =
            "is refused: flexlora cannot be summed exactly: it is not a row sum; leave sum out, or set it to float"
        await #expect(throws: ServiceError.settings(SettingsError(path: "strategy.sum", reason: reason))) {
            try await server.federation(strategy: .init(name: "flexlora", sum: .exact))
        }
    }

    @Test func `settings from before there was a choice are float, and stay as they were stored`() throws {
        let float = FederationSettings.Strategy(name: "rbla", weighting: "samples")
        let text = String(decoding: try JSONEncoder().encode(float), as: UTF8.self)
        #expect(!text.contains("sum"))
        #expect(try JSONDecoder().decode(FederationSettings.Strategy.self, from: Data(text.utf8)) == float)
        let exact = FederationSettings.Strategy(name: "rbla", sum: .exact)
        let again = try JSONDecoder().decode(FederationSettings.Strategy.self, from: JSONEncoder().encode(exact))
        #expect(again == exact)
    }
}
