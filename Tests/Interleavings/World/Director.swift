import Coordinator
import Federation
import Synchronization

/// Starts everybody, stops the faults, waits until everybody has ended, and checks what is left.
final class Director: Sendable {
    private let world: World
    private let stage: Schedule.Stage
    private let state = Mutex((running: 0, isDone: false))

    init(world: World, stage: Schedule.Stage) {
        self.world = world
        self.stage = stage
    }

    var isDone: Bool { state.withLock { $0.isDone } }

    func start() {
        world.startServers(stage.servers)
        let people = world.scheduler.makeLane()
        for name in stage.clients {
            let device = Device(name: name, world: world, declines: stage.declines, leaves: stage.leaves)
            begin(in: people) { [world] in
                let seconds = world.scheduler.roll { $0.one(of: [0, 1, 10]) }
                await world.scheduler.sleep(seconds: Double(seconds))
                await device.run()
            }
        }
        let admin = Operator(world: world, clients: stage.clients)
        if stage.hasOperator { begin(in: people) { await admin.run() } }
        people.start { [self] in
            _ = await waits(seconds: stage.faultSeconds) { self.hasEnded }
            world.scheduler.note("schedule", "the faults stop")
            world.calm()
            await conclude(with: admin)
            state.withLock { $0.isDone = true }
        }
    }

    private func begin(in lane: Lane, _ work: @escaping @Sendable () async -> Void) {
        state.withLock { $0.running += 1 }
        lane.start { [self] in
            await work()
            state.withLock { $0.running -= 1 }
        }
    }

    /// Waits for everybody, and has the admin finish a federation that has too few clients to finish by itself.
    private func conclude(with admin: Operator) async {
        let isAlone = !stage.hasOperator && stage.leaves == 0 && stage.declines == 0
        if !(await waits { self.hasEnded }) {
            if isAlone { return report(.federationEnds) }
            await admin.finish()
            if !(await waits { self.hasEnded }) { return report(.ends) }
        }
        // Whoever is left of a federation whose clients have all left.
        if world.store.rows.machine.state != .finished { await admin.finish() }
        if !(await waits { self.haveStarted }) { return report(.serversStart) }
        if !(await waits { self.isQuiet }) { return report(.roundsEnd) }
        // Two polls, and a catch-up that they bring about.
        await world.scheduler.sleep(seconds: 6)
        let stored = world.store.rows.machine
        for server in world.servers {
            guard let copy = server.session?.snapshot.machine else {
                return world.store.ledger.report(.serversStart, server.name)
            }
            if let difference = copy.difference(from: stored) {
                world.store.ledger.report(.upToDate, "\(server.name) has another \(difference)")
            }
        }
        world.store.ledger.checkEnd(of: world.store.rows)
    }

    private var hasEnded: Bool { state.withLock { $0.running == 0 } }

    /// Whether no step is to be expected any more.
    private var isQuiet: Bool {
        let machine = world.store.rows.machine
        guard machine.state == .finished else { return false }
        return machine.round?.phase != .aggregating && !world.store.isLocked
    }

    private var haveStarted: Bool { world.servers.allSatisfy { $0.session != nil } }

    /// Whether the condition comes true in time.
    private func waits(
        seconds: Double = Schedule.patienceSeconds, for condition: @Sendable () -> Bool
    ) async -> Bool {
        let end = world.scheduler.now().adding(seconds: seconds)
        while world.scheduler.now() < end {
            if condition() { return true }
            if world.isOver { return true }
            await world.scheduler.sleep(seconds: 1)
        }
        return condition()
    }

    private func report(_ invariant: Invariant) {
        let machine = world.store.rows.machine
        let round = machine.round.map { "round \($0.number) \($0.phase)" } ?? "no round"
        world.store.ledger.report(invariant, "the federation is \(machine.state), \(round)")
    }
}
