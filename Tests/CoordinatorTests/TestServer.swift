import AdapterFormat
import Crypto
import Federation
import Foundation
import Logging
import SQLiteStore
import Synchronization
import Testing

@testable import Coordinator

/// A clock that tests move by hand.
final class HandClock: WallClock {
    private let milliseconds = Mutex<Int64>(1_800_000_000_000)

    func now() -> Timestamp { Timestamp(milliseconds: milliseconds.withLock { $0 }) }

    func advance(seconds: Int64) { milliseconds.withLock { $0 += 1000 * seconds } }
}

/// A folder that goes with the test.
final class TemporaryFolder: Sendable {
    let path: String

    init() throws {
        path = NSTemporaryDirectory() + "rankwise-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }
}

/// The services over a real store in a folder of their own.
struct TestServer {
    let folder: TemporaryFolder
    let clock: HandClock
    let sqlite: SQLiteStore
    let services: Services
    private static let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    init(
        folder: TemporaryFolder? = nil, clock: HandClock = HandClock(),
        uploadLimits: UploadService.Limits = .init(), partLimits: PartLimits = PartLimits(),
        wrapping wrap: (inout Stores, SQLiteStore) -> Void = { _, _ in }
    ) async throws {
        self.folder = try folder ?? TemporaryFolder()
        self.clock = clock
        sqlite = try SQLiteStore(directory: self.folder.path + "/data", logger: Self.logger)
        var stores = Stores(sqlite)
        wrap(&stores, sqlite)
        services = Services(
            stores: stores,
            cache: try AdapterCache(folder: self.folder.path + "/data/cache", byteLimit: 1 << 20),
            access: Access(mode: .none, clock: clock), clock: clock, threads: 2, uploadLimits: uploadLimits,
            partLimits: partLimits, logger: Self.logger)
        try await services.resume()
    }

    /// A second server over the same store.
    init(
        sharing other: TestServer, partLimits: PartLimits = PartLimits(),
        wrapping wrap: (inout Stores, SQLiteStore) -> Void = { _, _ in }
    ) async throws {
        folder = other.folder
        clock = other.clock
        sqlite = other.sqlite
        var stores = Stores(sqlite)
        wrap(&stores, sqlite)
        services = Services(
            stores: stores,
            cache: try AdapterCache(folder: folder.path + "/data/cache-\(UUID().uuidString)", byteLimit: 1 << 20),
            access: Access(mode: .none, clock: clock), clock: clock, threads: 2, partLimits: partLimits,
            logger: Self.logger)
        try await services.resume()
    }

    /// Lets go of the data folder, as a stop does.
    func close() throws { try sqlite.close() }

    /// Lets rounds be aggregated while `body` runs.
    func aggregating<Value: Sendable>(_ body: @Sendable () async throws -> Value) async throws -> Value {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await services.aggregateRounds() }
            defer { group.cancelAll() }
            return try await body()
        }
    }

    func federation(
        _ id: String = "digits", rounds: Int = 2, minimum: Int = 2, missed: RoundPolicy.MissedQuorum = .extend,
        strategy: FederationSettings.Strategy = .init(name: "rbla"), server: FederationSettings.Server = .init(),
        adjust: (inout FederationSettings) throws -> Void = { _ in }
    ) async throws -> FederationID {
        var settings = FederationSettings(
            id: try FederationID(id), baseModel: .init(name: "mlp-6-5", seed: 1, sha256: nil),
            adapter: .init(
                maximumRank: 4, scaling: .lora(alpha: 8), elementType: .float32,
                modules: [
                    "fc1": .init(kind: .linear, inputs: 6, outputs: 5, maximumRank: nil, bias: false),
                    "fc2": .init(kind: .linear, inputs: 5, outputs: 3, maximumRank: 8, bias: false),
                ], dense: [:]),
            strategy: strategy, server: server,
            policy: .init(
                total: rounds, minimumClients: minimum, minimumUpdates: minimum, targetUpdates: nil,
                deadlineSeconds: 60, onMissedQuorum: missed, selection: .fraction(1), overSelection: 0, seenSeconds: 120
            ),
            limits: .init(clients: 10, samples: 1000), training: #"{"epochs":1}"#, seed: 3)
        try adjust(&settings)
        _ = try await services.federations.create(settings)
        return settings.id
    }

    func register(
        _ name: String, rank: Int, capabilities: String = "{}", in federation: FederationID
    ) async throws -> ClientName {
        let client = try ClientName(name)
        let token =
            String(repeating: "0", count: 64 - name.utf8.count * 2) + name.utf8.map { String($0, radix: 16) }.joined()
        _ = try await services.enrolment.register(
            client, rank: rank, token: token, capabilities: capabilities, in: federation)
        return client
    }

    /// Sends what `client` trained, as a handler would.
    func send(
        _ file: [UInt8], of client: ClientName, round: Int, samples: Int = 10, in federation: FederationID
    ) async throws -> UpdateService.Receipt {
        let claim = UpdateService.Claim(
            federation: federation, round: round, client: client, samples: samples,
            metrics: Metrics(loss: 0.5, accuracy: 0.75), digest: nil)
        let ticket = try await services.updates.begin(claim, byteCount: file.count)
        try Data(file).write(to: URL(fileURLWithPath: ticket.spool.path))
        let digest = try #require(ContentDigest(bytes: Array(SHA256.hash(data: file))))
        return try await services.updates.finish(ticket, digest: digest, byteCount: file.count)
    }

    func snapshot(_ federation: FederationID) throws -> FederationMachine {
        try services.federations.snapshot(of: federation).machine
    }

    /// Waits until the current round is number `number` or the federation has finished.
    func wait(forRound number: Int, in federation: FederationID) async throws {
        try await wait(in: federation) { $0.state == .finished || ($0.round?.number ?? 0) >= number }
    }

    /// Waits until the federation is as `condition` wants it.
    func wait(in federation: FederationID, until condition: (FederationMachine) -> Bool) async throws {
        while true {
            try Task.checkCancellation()
            let machine = try snapshot(federation)
            if condition(machine) { return }
            _ = try await services.rounds.current(of: federation, after: machine.revision, waiting: 60)
        }
    }
}

/// An adapter file of constant factors, so that means are easy to say.
func adapterFile(rank: Int, value: Float, fc2Rank: Int? = nil, inputs: Int = 6) throws -> [UInt8] {
    let shape = try AdapterShape(modules: [
        ModuleShape(name: "fc1", inputs: inputs, outputs: 5, maximumRank: rank),
        ModuleShape(name: "fc2", inputs: 5, outputs: 3, maximumRank: fc2Rank ?? 2 * rank),
    ])
    let folder = try TemporaryFolder()
    let path = folder.path + "/adapter"
    let descriptor = open(path, O_RDWR | O_CREAT, 0o600)
    defer { close(descriptor) }
    var writer = try AdapterWriter(shape: shape, descriptor: descriptor)
    for module in shape.modules {
        var factors = ModuleFactors(zeroOf: module, rank: module.maximumRank)
        for index in factors.a.indices { factors.a[index] = value }
        for index in factors.b.indices { factors.b[index] = value }
        try writer.take(factors, of: module)
    }
    try writer.finish()
    return Array(try #require(FileManager.default.contents(atPath: path)))
}
