import Federation
import Logging
import SQLiteStore
import Testing

@testable import Coordinator

/// Federations that this version cannot run, beside others that it can.
@Suite struct SetAsideTests {
    @Test func `a federation of an unknown strategy is set aside, and the others are served`() async throws {
        let folder = try TemporaryFolder()
        var server = try await TestServer(folder: folder)
        let good = try await server.federation("good")
        let client = try await server.register("edge", rank: 2, in: good)
        var settings = try server.snapshot(good).settings
        settings.id = try FederationID("bad")
        settings.strategy = .init(name: "of-a-later-version")
        let token = Access.makeToken()
        let known = Client(
            name: client, rank: 1, token: Access.hash(token), capabilities: .none, registeredAt: server.clock.now(),
            lastSeenAt: server.clock.now())
        try await server.sqlite.create(
            StoredFederation(
                machine: FederationMachine(settings: settings, clients: [client: known]),
                createdAt: server.clock.now()))
        try server.close()
        server = try await TestServer(folder: folder)
        let bad = settings.id
        #expect(server.services.federations.list { _ in true }.federations.map(\.machine.settings.id) == [good])
        #expect(throws: ServiceError.setAside(bad)) { try server.services.federations.snapshot(of: bad) }
        await #expect(throws: ServiceError.setAside(bad)) {
            try await server.send(adapterFile(rank: 1, value: 1), of: client, round: 1, in: bad)
        }
        // Its clients are not told that their tokens are wrong, which would end them.
        #expect(!server.services.access.isFree(Access.hash(token), for: .admin))
        // Its name stays taken.
        await #expect(throws: ServiceError.federationExists(bad)) { try await server.federation("bad") }
        _ = try await server.register("other", rank: 2, in: good)
        _ = try await server.send(adapterFile(rank: 2, value: 1), of: client, round: 1, in: good)
        let audit = try await server.services.audit()
        #expect(
            audit.findings.count == 1 && audit.findings[0].hasPrefix("bad has settings that this version does not know")
        )
        // Nobody can run it, and the admin can let it go.
        #expect(try await server.services.federations.delete(bad, releasing: true).id == bad)
        #expect(throws: ServiceError.unknownFederation(bad)) { try server.services.federations.snapshot(of: bad) }
        #expect(try await server.federation("bad") == bad)
    }

    typealias Change = @Sendable (inout FederationSettings) -> Void

    private static let impossible: [Change] = [
        { $0.adapter.maximumRank = 0 },
        { $0.adapter.maximumRank = .max },
        { $0.adapter.modules["fc1"]?.inputs = .max },
        { $0.adapter.modules["fc1"]?.kind = .convolution(height: .max, width: .max) },
        { $0.adapter.modules["fc1"]?.kind = .experts(count: -1) },
        { $0.adapter.modules["fc1"]?.maximumRank = .min },
        { $0.adapter.dense["head"] = .init(shape: [.max, .max]) },
        {
            $0.strategy = .init(name: "slora")
            $0.adapter.modules["fc1"]?.outputs = 1 << 40
        },
    ]

    @Test(arguments: impossible.indices)
    func `stored settings with which nothing can be reckoned end no server`(_ index: Int) async throws {
        let folder = try TemporaryFolder()
        var server = try await TestServer(folder: folder)
        let good = try await server.federation("good")
        var settings = try server.snapshot(good).settings
        settings.id = try FederationID("bad")
        Self.impossible[index](&settings)
        try await server.sqlite.create(
            StoredFederation(machine: FederationMachine(settings: settings), createdAt: server.clock.now()))
        try server.close()
        server = try await TestServer(folder: folder)
        let bad = settings.id
        #expect(throws: ServiceError.setAside(bad)) { try server.services.federations.snapshot(of: bad) }
        #expect(try server.snapshot(good).state == .waiting)
    }
}
