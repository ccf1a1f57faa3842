import Coordinator
import Federation

/// The aggregator of one server: takes a round's lease, works for some time, and spends the lease.
struct Aggregation: Sendable {
    private let session: FederationSession
    private let server: Server
    private let world: World

    private static let leaseSeconds = 30.0

    init(of session: FederationSession, on server: Server, in world: World) {
        self.session = session
        self.server = server
        self.world = world
    }

    func run() async {
        while server.connection.isOpen {
            await world.scheduler.sleep(seconds: 0.5)
            do throws(StoreError) { try await aggregate() } catch {
                world.scheduler.note(server.name, "cannot aggregate: \(error)")
            }
        }
    }

    private func aggregate() async throws(StoreError) {
        guard let seen = session.snapshot.machine.round, seen.phase == .aggregating else { return }
        let job = Job(.aggregation(round: seen.number), of: session.id)
        guard let lease = try await server.connection.take(job, seconds: Self.leaseSeconds) else { return }
        world.scheduler.note(server.name, "has the lease of round \(seen.number) with fence \(lease.fence)")
        do throws(StoreError) {
            let closed = world.mutant == .earlyCohort ? seen : try await session.closedRound(seen.number)
            if let round = closed {
                await work(under: lease)
                try await spend(lease, on: round)
            }
        } catch {
            try? await server.connection.giveUp(lease)
            throw error
        }
        try? await server.connection.giveUp(lease)
    }

    /// Takes some time, and renews the lease meanwhile.
    private func work(under lease: Lease) async {
        let rate = world.hazards.current.slowAggregation
        var left = world.scheduler.roll { dice in dice.chance(rate) ? dice.below(60) : dice.below(3) }
        while left > 0 {
            let seconds = min(left, Int(Self.leaseSeconds / 3))
            await world.scheduler.sleep(seconds: Double(seconds))
            left -= seconds
            guard (try? await server.connection.renew(lease, seconds: Self.leaseSeconds)) == true else { continue }
        }
    }

    private func spend(_ lease: Lease, on round: RoundMachine) async throws(StoreError) {
        let rates = world.hazards.current
        let (loses, fails, index) = world.scheduler.roll { dice in
            (dice.chance(rates.lostBlob), dice.chance(rates.failedAggregation), dice.below(max(1, round.acceptedCount)))
        }
        if loses, let update = round.accepted.dropFirst(index).first {
            world.scheduler.note(server.name, "finds the update of \(update.client) lost")
            _ = try await session.perform(
                .lost([update.client: "its file is gone"], round: round.number), spending: lease)
        } else if fails {
            _ = try await session.perform(
                .aggregationFailed(reason: "the numbers do not fit", round: round.number), spending: lease)
        } else {
            _ = try await session.perform(.aggregated(Sum.adapter(of: round), round: round.number), spending: lease)
        }
    }
}
