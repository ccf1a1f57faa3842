import Coordinator
import Federation
import Synchronization

/// One run of a server's process: a real session, its follower, its tick, its aggregator, and calls of clients.
///
/// The loops are those of `FederationRuntime.follow`, `Services.tick` and `AggregationWorker`, which themselves wait for
/// real time and for threads of their own.
final class Server: Sendable {
    private struct State {
        var session: FederationSession?
        /// Ends the calls that wait for an answer, without one.
        var calls: [Int: @Sendable () -> Void] = [:]
        var callCount = 0
    }

    /// After this time a caller takes a call for lost. The server may still answer it.
    private static let callSeconds = 15.0

    let name: String
    let lane: Lane
    let connection: StoreConnection
    private let world: World
    private let state = Mutex(State())

    init(_ name: String, number: Int, in world: World) {
        self.name = name
        self.world = world
        lane = world.scheduler.makeLane()
        connection = StoreConnection(world.store, of: name, number: number, in: lane)
    }

    var session: FederationSession? { connection.isOpen ? state.withLock { $0.session } : nil }

    func start() {
        world.scheduler.note(name, "starts")
        lane.start { [self] in
            guard let session = await load() else { return }
            state.withLock { $0.session = session }
            lane.start { [self] in await follow(session) }
            lane.start { [self] in await tick(session) }
            lane.start { [self] in await Aggregation(of: session, on: self, in: world).run() }
        }
    }

    /// Ends the process at once. What runs in it still runs, and reaches nobody.
    func kill() {
        world.scheduler.note(name, "is killed")
        connection.end()
        world.scheduler.resume(lane)
        let calls = state.withLock { state in
            defer { state.calls = [:] }
            return state.calls.sorted { $0.key < $1.key }.map(\.value)
        }
        for end in calls { end() }
    }

    /// Calls the server.
    ///
    /// - Returns: nil where no answer came.
    func call<Value: Sendable>(_ body: @escaping @Sendable (FederationSession) async -> Value?) async -> Value? {
        await world.scheduler.point()
        guard let session else { return nil }
        let reply = Reply<Value>()
        let number = state.withLock { state in
            state.callCount += 1
            state.calls[state.callCount] = { reply.answer(nil) }
            return state.callCount
        }
        lane.start { [self] in
            let value = await body(session)
            reply.answer(connection.isOpen ? value : nil)
            state.withLock { $0.calls[number] = nil }
        }
        world.scheduler.after(seconds: Self.callSeconds) { reply.answer(nil) }
        return await reply.value()
    }

    private func load() async -> FederationSession? {
        while connection.isOpen {
            if let stored = try? await connection.federation(world.federation) {
                return FederationSession(
                    stored, metadata: connection, presence: connection.presence(of: world.federation),
                    clock: world.scheduler, sampler: HashedSampler(),
                    observers: .init(
                        aggregationDue: { _ in },
                        event: { [world, name] in world.store.ledger.announced($1, by: name) }))
            }
            await world.scheduler.sleep(seconds: 0.5)
        }
        return nil
    }

    private func follow(_ session: FederationSession) async {
        if world.mutant == .lateListening { await world.scheduler.sleep(seconds: 2) }
        let steps = connection.steps()
        if world.mutant != .lateListening { try? await session.catchUp(to: .max) }
        for await step in steps { try? await session.catchUp(to: step.revision) }
    }

    private func tick(_ session: FederationSession) async {
        while connection.isOpen || state.withLock({ !$0.calls.isEmpty }) {
            await world.scheduler.sleep(seconds: 1)
            try? await session.tick()
        }
        // Whoever still waits for a change, waits for nothing.
        session.endWaits()
    }
}
