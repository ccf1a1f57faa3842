import AdapterFormat
import Aggregation
import Federation
import Foundation
import SQLiteStore
import Testing

@testable import Coordinator

/// What a root takes of a region, and what it refuses.
@Suite struct RegionCheckTests {
    /// A root with one direct client and one region of three clients.
    private struct Root {
        let server: TestServer
        let federation: FederationID
        let edge: ClientName
        let north: ClientName

        init() async throws {
            server = try await TestServer()
            federation = try await server.federation(strategy: .init(name: "rbla", sum: .exact)) {
                $0.limits.factorOverMedian = nil
            }
            edge = try await server.register("edge", rank: 2, in: federation)
            north = try await server.register(
                "north", rank: 4, capabilities: #"{"region": {"clients": 3}}"#, in: federation)
        }

        /// A region's partial sum of clients with these names and values.
        func sum(
            _ clients: [(name: String, value: Float)] = [("north/a", 1), ("north/b", 3)], round: Int = 1,
            federation: String? = nil, samples: Int = 10, hasList: Bool = true,
            settings adjust: (inout FederationSettings) -> Void = { _ in }
        ) throws -> [UInt8] {
            var settings = try server.snapshot(self.federation).settings
            adjust(&settings)
            let plan = try AdapterPlan(settings)
            let path = server.folder.path + "/sum-\(UUID().uuidString)"
            let descriptors = try [path, path + ".clients"].map { path in
                let descriptor = open(path, O_RDWR | O_CREAT | O_EXCL, 0o600)
                try #require(descriptor >= 0)
                return descriptor
            }
            defer { for descriptor in descriptors { close(descriptor) } }
            try Aggregator(strategy: plan.strategy, shape: plan.shape, scaling: plan.scaling).writePart(
                of: clients.map { client in
                    Contribution(
                        client: client.name,
                        adapter: try AdapterFile(SafetensorsFile(bytes: adapterFile(rank: 4, value: client.value))),
                        samples: samples, digest: String(repeating: "a", count: 64))
                }, round: round, in: federation ?? self.federation.rawValue, threads: 1,
                to: PartialSumTarget(sum: descriptors[0], clients: hasList ? nil : descriptors[1]))
            return Array(try #require(FileManager.default.contents(atPath: path)))
        }

        /// The code and the reason with which a region's update is refused.
        func refusal(of file: [UInt8], samples: Int = 20) async throws -> UpdateRefusal {
            do {
                _ = try await server.send(file, of: north, round: 1, samples: samples, in: federation)
            } catch ServiceError.update(let refusal) {
                return refusal
            }
            throw StoreError.failed("the update was taken")
        }
    }

    @Test func `a region's sum and direct clients make the adapter of all clients`() async throws {
        let root = try await Root()
        let rows = try await root.server.aggregating {
            let receipt = try await root.server.send(
                try root.sum(), of: root.north, round: 1, samples: 20, in: root.federation)
            #expect(receipt.isNew && receipt.update.samples == 20)
            // The same bytes again are the same update.
            let again = try await root.server.send(
                try root.sum(), of: root.north, round: 1, samples: 20, in: root.federation)
            #expect(!again.isNew)
            _ = try await root.server.send(
                try adapterFile(rank: 2, value: 5), of: root.edge, round: 1, in: root.federation)
            try await root.server.wait(forRound: 2, in: root.federation)
            return try root.server.sqlite.rows(
                4, of: AdapterTensor(name: "fc1", kind: .a),
                at: AdapterAddress(federation: root.federation, round: 1, slot: .adapter))
        }
        // Rows 0 and 1 have all three clients, rows 2 and 3 the region's two.
        #expect(rows == [Float](repeating: 3, count: 12) + [Float](repeating: 2, count: 12))
    }

    @Test func `a sum of another round, federation or shape is refused by what differs`() async throws {
        let root = try await Root()
        let found = [
            try await root.refusal(of: try root.sum(round: 2)),
            try await root.refusal(of: try root.sum(federation: "other")),
            try await root.refusal(of: try root.sum { $0.strategy.weighting = "uniform" }),
            try await root.refusal(of: try root.sum { $0.adapter.modules["fc2"]?.alpha = 3 }),
        ]
        #expect(found.map(\.code) == [String](repeating: "update.region", count: 4))
        #expect(
            found.map(\.detail) == [
                "the sum's round is 2; this round of the federation has 1",
                "the sum's federation is other; this round of the federation has digits",
                "the sum's weighting is uniform; this round of the federation has samples",
                "the sum's module:fc2 is linear inputs=5 outputs=3 rank=8 alpha=3.0; this round of the federation has "
                    + "linear inputs=5 outputs=3 rank=8",
            ])
    }

    @Test func `a list of other clients than the region's is refused`() async throws {
        let root = try await Root()
        let names = [
            [("a", Float(1))], [("south/a", 1)], [("north/a/b", 1)], [("north/", 1)],
            [("north/a", 1), ("north/b", 1), ("north/c", 1), ("north/d", 1)],
        ]
        for clients in names {
            #expect(try await root.refusal(of: try root.sum(clients), samples: 40).code == "update.clients")
        }
        let bare = try await root.refusal(of: try root.sum(hasList: false))
        #expect(bare.code == "update.missing" && bare.detail == "clients is missing")
    }

    @Test func `weights that the clients do not have, and numbers beyond their range, are refused`() async throws {
        let root = try await Root()
        let heavy = try await root.refusal(of: try root.sum(), samples: 19)
        #expect(heavy.code == "update.sum")
        #expect(heavy.detail == "fc1.weights is 20.0; all clients together have 19.0")
        // 2^38 / 10 updates, for two clients.
        let limit = 0x1p38 / 10 * 2
        let large = try await root.refusal(of: try root.sum([("north/a", 3e9), ("north/b", 3e9)]))
        #expect(large.code == "update.range")
        #expect(large.detail == "fc1.A has 60000000000.0; no sum of these clients exceeds ±\(limit)")
        let greedy = try await root.refusal(of: try root.sum(), samples: 3001)
        #expect(greedy.detail == "samples is 3001; this federation takes 1 to 3000")
    }

    @Test func `an adapter of a region, and a sum of a client, are refused`() async throws {
        let root = try await Root()
        #expect(try await root.refusal(of: try adapterFile(rank: 2, value: 1)).code == "update.format")
        await #expect(throws: ServiceError.self) {
            try await root.server.send(try root.sum(), of: root.edge, round: 1, in: root.federation)
        }
    }

    @Test func `bytes that were changed or cut are refused`() async throws {
        let root = try await Root()
        let sum = try root.sum()
        var codes: Set<String> = []
        for position in stride(from: 0, to: sum.count, by: 37) {
            var changed = sum
            changed[position] ^= 0x41
            if let refusal = try? await root.refusal(of: changed) { codes.insert(refusal.code) }
            if let refusal = try? await root.refusal(of: Array(sum[..<position])) { codes.insert(refusal.code) }
            // What was taken had one number changed, as a client's own update may have.
            if try root.server.snapshot(root.federation).round?.updates[root.north]?.status == .accepted {
                try await root.server.services.updates.takeBack(
                    updateOf: root.north, round: 1, in: root.federation)
            }
        }
        #expect(codes.isSuperset(of: ["update.format", "update.region", "update.clients", "update.sum"]), "\(codes)")
    }
}
