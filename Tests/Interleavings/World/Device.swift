import Coordinator
import Federation
import Foundation

/// A client: registers, sends an update in every round that asks for one, and ends with the federation.
///
/// It calls any server, and asks another one until it has an answer that counts.
struct Device: Sendable {
    let name: ClientName
    let world: World
    /// The chance to decline a round, and to leave after one.
    let declines: Double
    let leaves: Double

    /// The part of a plan that decides what the client does.
    fileprivate struct Plan: Sendable {
        let revision: Int64
        let isOver: Bool
        /// The round that asks the client for an update.
        let round: Int?
        /// The round whose adapter the client is asked to score.
        let evaluation: Int?
    }

    func run() async {
        guard await isRegistered() else { return }
        var revision: Int64 = 0
        var sent = 0
        while !world.isOver {
            guard let plan = await plan(after: revision) else { continue }
            revision = plan.revision
            if plan.isOver { return world.scheduler.note(name.rawValue, "ends") }
            if let evaluation = plan.evaluation { await evaluate(evaluation) }
            guard let round = plan.round else { continue }
            if world.roll(declines) {
                await decline(round)
                continue
            }
            sent += 1
            await send(number: sent, in: round)
            if world.roll(leaves) { return await leave() }
        }
    }

    /// Registers; false where the server refuses it.
    private func isRegistered() async -> Bool {
        let token = HashedSampler().digest(of: "the token of \(name)")
        while !world.isOver {
            let event = FederationMachine.Event.register(
                name: name, rank: 4, token: token, capabilities: Self.evaluating)
            let answer = await world.server.call { session in
                let result = try? await session.perform(event)
                if case .success = result { session.touch(name) }
                return result
            }
            switch answer {
            case nil: continue
            case .success: return true
            case .failure(let error):
                world.scheduler.note(name.rawValue, "is not registered: \(error)")
                if error != .finished, error != .revoked(name) {
                    world.store.ledger.report(.registersOnce, "\(name): \(error)")
                }
                return false
            }
        }
        return false
    }

    private func plan(after revision: Int64) async -> Plan? {
        let deadline = world.scheduler.now().adding(seconds: 10)
        return await world.server.call { session in
            session.touch(name)
            let seen = await session.plan(of: name, after: revision, until: deadline)
            return Plan(of: name, in: (seen ?? session.snapshot).machine)
        }
    }

    /// Sends an update until it was taken or refused.
    private func send(number: Int, in round: Int) async {
        let text = "\(name), round \(round), number \(number)"
        let update = Update(
            client: name, digest: HashedSampler().digest(of: text), byteCount: text.utf8.count, rank: 4, samples: 10,
            metrics: Metrics(), receivedAt: world.scheduler.now())
        world.scheduler.note(name.rawValue, "sends update \(number) for round \(round)")
        while !world.isOver {
            let server = world.server
            let call = UpdateCall(update: update, round: round, server: server, world: world)
            switch await server.call({ await call.answer(in: $0) }) {
            case .received: return world.store.ledger.received(update.digest, from: name, round: round)
            case .refused(.unknown):
                return world.store.ledger.report(.openRoundIsKnown, "\(server.name), round \(round)")
            case .unknown:
                return world.store.ledger.report(.clientIsKnown, "\(server.name), \(name)")
            case .refused: return
            case .later, nil: await world.scheduler.sleep(seconds: 0.3)
            }
        }
    }

    private static let evaluating = Capabilities(text: #"{"evaluate":true}"#) {
        try JSONDecoder().decode(Capabilities.Claims.self, from: Data($0.utf8))
    }

    /// Tells what it found until some server has taken or refused it, as `EvaluationService` does.
    private func evaluate(_ round: Int) async {
        let answer = EvaluationAnswer(samples: 5, metrics: ["accuracy": 0.5 + 0.1 / Double(round)])
        world.scheduler.note(name.rawValue, "scores round \(round)")
        let result = await world.answer { session in
            session.touch(name)
            return try? await session.perform(.evaluate(answer, by: name, round: round))
        }
        if case .success = result { world.store.ledger.took(answer, from: name, round: round) }
    }

    private func decline(_ round: Int) async {
        world.scheduler.note(name.rawValue, "declines round \(round)")
        _ = await world.answer { try? await $0.perform(.decline(name, round: round, reason: "no power")) }
    }

    private func leave() async {
        world.scheduler.note(name.rawValue, "leaves")
        _ = await world.answer { session in
            session.leave(name)
            return try? await session.perform(.leave(name, reason: "no power"))
        }
    }
}

extension Device.Plan {
    init(of client: ClientName, in machine: FederationMachine) {
        revision = machine.revision
        isOver = machine.state == .finished || machine.clients[client]?.revokedAt != nil
        evaluation = machine.evaluation.flatMap { $0.awaits(client) ? $0.round : nil }
        guard let round = machine.round, round.phase == .collecting else {
            self.round = nil
            return
        }
        let asks =
            machine.settings.policy.buffer == nil
            ? round.participations[client]?.state == .awaited
            : machine.objection(to: client, round: round.number) == nil
        self.round = asks ? round.number : nil
    }
}
