import Coordinator
import Federation

/// The admin, who now and then revokes, pauses, takes an update back, changes the policy or finishes the federation.
struct Operator: Sendable {
    let world: World
    let clients: [ClientName]

    func run() async {
        for _ in 0..<world.scheduler.roll({ $0.below(4) }) {
            let seconds = world.scheduler.roll { $0.below(60) }
            await world.scheduler.sleep(seconds: Double(seconds))
            if world.isOver { return }
            await act()
        }
    }

    private func act() async {
        let client = world.scheduler.roll { $0.one(of: clients) }
        switch world.scheduler.roll({ $0.below(9) }) {
        case 0, 1:
            note("revokes \(client)")
            _ = await world.answer { try? await $0.perform(.revoke(client)) }
        case 2, 3:
            note("pauses")
            _ = await world.answer { try? await $0.perform(.setState(.paused)) }
            await world.scheduler.sleep(seconds: 5)
            note("continues")
            _ = await world.answer { try? await $0.perform(.setState(.running)) }
        case 4, 5:
            note("changes the policy")
            _ = await world.answer { session in
                var policy = session.snapshot.machine.settings.policy
                policy.deadlineSeconds += 1
                return try? await session.perform(.setPolicy(policy))
            }
        case 6, 7:
            let round = world.store.rows.machine.round?.number ?? 1
            note("takes the update of \(client) for round \(round) back")
            _ = await world.answer { try? await $0.perform(.takeBack(client, round: round)) }
        default: await finish()
        }
    }

    func finish() async {
        note("finishes the federation")
        _ = await world.answer { try? await $0.perform(.setState(.finished)) }
    }

    private func note(_ text: String) { world.scheduler.note("admin", text) }
}
