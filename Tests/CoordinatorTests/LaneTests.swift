import Dispatch
import Federation
import Synchronization
import Testing

@testable import Coordinator

/// What one federation writes slowly holds up no other.
@Suite struct LaneTests {
    /// A server whose first write of an adapter, once armed, waits for the gate.
    private struct Stage {
        let server: TestServer
        let gate = DispatchSemaphore(value: 0)
        let waits: AsyncStream<Void>
        let arm: @Sendable () -> Void

        init() async throws {
            let (waits, wait) = AsyncStream<Void>.makeStream()
            let armed = Box()
            let gate = gate
            server = try await TestServer { stores, sqlite in
                let store = GatedStore(sqlite)
                store.onAdapterWrite { write throws(StoreError) in
                    guard case .append(.adapter) = write, armed.take() else { return }
                    wait.yield()
                    gate.wait()
                }
                stores.metadata = store
                stores.adapters = store
            }
            self.waits = waits
            arm = { armed.set() }
        }

        private final class Box: Sendable {
            private let value = Mutex(false)
            func set() { value.withLock { $0 = true } }
            func take() -> Bool {
                value.withLock { value in
                    defer { value = false }
                    return value
                }
            }
        }
    }

    @Test func `a federation is created while a larger one is still being drawn`() async throws {
        let stage = try await Stage()
        stage.arm()
        async let large = stage.server.federation("large")
        for await _ in stage.waits { break }
        #expect(try await stage.server.federation("small") == FederationID("small"))
        stage.gate.signal()
        #expect(try await large == FederationID("large"))
    }

    @Test func `a round is published while a larger one is still being added up`() async throws {
        let stage = try await Stage()
        let server = stage.server
        var federations: [FederationID] = []
        for name in ["large", "small"] {
            let federation = try await server.federation(name, rounds: 1, minimum: 1)
            _ = try await server.register("edge-" + name, rank: 2, in: federation)
            federations.append(federation)
        }
        let (large, small) = (federations[0], federations[1])
        @Sendable func send(_ federation: FederationID) async throws {
            let client = try ClientName("edge-\(federation)")
            _ = try await server.send(adapterFile(rank: 2, value: 1), of: client, round: 1, in: federation)
        }
        try await server.aggregating {
            stage.arm()
            try await send(large)
            for await _ in stage.waits { break }
            try await send(small)
            try await server.wait(in: small) { $0.publishedRound == 1 }
            #expect(try server.snapshot(large).round?.phase == .aggregating)
            stage.gate.signal()
            try await server.wait(in: large) { $0.publishedRound == 1 }
        }
    }
}
