import Coordinator
import Federation
import Synchronization

/// All processes of a schedule and the store that they share.
final class World: Sendable {
    let federation: FederationID
    let scheduler: Scheduler
    let store: FakeStore
    let hazards: HazardSwitch
    let mutant: Mutant?
    private let state: Mutex<State>

    private struct State {
        var servers: [Server] = []
        var serverCount = 0
        var isOver = false
    }

    init(_ store: FakeStore, hazards: HazardSwitch) {
        federation = store.rows.machine.settings.id
        scheduler = store.scheduler
        self.store = store
        self.hazards = hazards
        mutant = store.mutant
        state = Mutex(State())
    }

    /// Whether everybody shall end.
    var isOver: Bool { state.withLock { $0.isOver } }
    var servers: [Server] { state.withLock { $0.servers } }

    /// A server, as a load balancer chooses it.
    var server: Server {
        let servers = servers
        return scheduler.roll { $0.one(of: servers) }
    }

    func roll(_ probability: Double) -> Bool { scheduler.roll { $0.chance(probability) } }

    /// Asks one server after the other until one answers; nil at the end of the schedule.
    func answer<Value: Sendable>(_ body: @escaping @Sendable (FederationSession) async -> Value?) async -> Value? {
        while !isOver {
            if let answer = await server.call(body) { return answer }
            await scheduler.sleep(seconds: 0.2)
        }
        return nil
    }

    func startServers(_ count: Int) {
        for place in 0..<count {
            let server = makeServer(at: place)
            state.withLock { $0.servers.append(server) }
            server.start()
        }
    }

    private func makeServer(at place: Int) -> Server {
        let number = state.withLock { state in
            state.serverCount += 1
            return state.serverCount
        }
        return Server("server \(place + 1).\(number)", number: number, in: self)
    }

    /// Pauses or kills a server, or starts the store again, now and then. Called before every job.
    func disturb() {
        let (rates, servers) = (hazards.current, servers)
        let (pauses, kills, restarts, place, seconds) = scheduler.roll { dice in
            (
                dice.chance(rates.pause), dice.chance(rates.kill), dice.chance(rates.restart),
                dice.below(servers.count), dice.below(45)
            )
        }
        if restarts { store.restart(seconds: Double(seconds % 5)) }
        let server = servers[place]
        if kills { replace(server, at: place) }
        if pauses {
            store.ledger.count(.pause)
            scheduler.note(server.name, "is paused for \(seconds) s")
            scheduler.pause(server.lane, seconds: Double(seconds))
        }
    }

    private func replace(_ server: Server, at place: Int) {
        store.ledger.count(.kill)
        server.kill()
        let next = makeServer(at: place)
        state.withLock { $0.servers[place] = next }
        scheduler.after(seconds: Double(scheduler.roll { $0.below(8) })) { [self] in
            if !isOver { next.start() }
        }
    }

    /// From now on there are no faults.
    func calm() {
        hazards.stop()
        for server in servers { scheduler.resume(server.lane) }
    }

    func end() {
        state.withLock { $0.isOver = true }
        for server in servers { server.kill() }
    }

    /// Lets go of the servers, which let go of the world.
    func close() { state.withLock { $0.servers = [] } }
}
