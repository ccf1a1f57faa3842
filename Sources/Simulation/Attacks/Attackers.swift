import LinearAlgebra
import Training
import TrainingData

/// The clients of a simulation that attack, and how.
struct Attackers: Sendable {
    /// By client; a client has one attack at most.
    let attacks: [String: Attack]
    /// Held-out examples with the trigger, labelled as a backdoor wants them; nil where there is no backdoor.
    let triggered: NativeTask?
    /// The number of classes in the data; 0 where no attack asks for it.
    private let classes: Int

    /// Draws the attackers by the seed: for each attack in turn from those that have none yet.
    ///
    /// - Throws: where an attack does not go with the data.
    init(_ attacks: [Attack], of cohort: SimulatedCohort, seed: UInt64) throws(SimulationError) {
        let (clients, heldOut) = (cohort.clients.map(\.name), cohort.heldOut)
        classes =
            attacks.contains { $0.kind == .labelFlip }
            ? 1 + (cohort.clients.compactMap { $0.task.labels.max() }.max() ?? 0) : 0
        var generator = SeededGenerator(seed: seed, stream: "attackers")
        var free = clients.sorted().shuffled(using: &generator)[...]
        var drawn: [String: Attack] = [:]
        for (index, attack) in attacks.enumerated() {
            let count = Int((attack.clients * Double(clients.count)).rounded())
            guard count > 0, count <= free.count else {
                throw .settings(
                    path: "simulation.attacks[\(index)].clients",
                    reason: "gives \(count) attackers; expected 1 to \(free.count) of \(clients.count) clients")
            }
            for client in free.prefix(count) { drawn[client] = attack }
            free = free.dropFirst(count)
        }
        self.attacks = drawn
        if let backdoor = attacks.first(where: { $0.kind == .backdoor }) {
            let (label, trigger) = try Self.trigger(of: backdoor, on: heldOut)
            let others = heldOut.labels.indices.filter { heldOut.labels[$0] != label }
            guard !others.isEmpty else {
                throw .settings(path: "simulation.attacks", reason: "the held-out examples are all of class \(label)")
            }
            let task = heldOut.subset(others)
            triggered = try Self.relabelled(
                task, labels: task.labels.map { _ in label }, trigger: trigger, on: Set(task.labels.indices))
        } else {
            triggered = nil
        }
    }

    /// A client's examples as it trains on them.
    func task(of client: SimulatedClient, seed: UInt64) throws(SimulationError) -> NativeTask {
        guard let attack = attacks[client.name] else { return client.task }
        let labels = client.task.labels
        switch attack.kind {
        case .labelFlip:
            return try Self.relabelled(client.task, labels: labels.map { classes - 1 - $0 }, trigger: nil, on: [])
        case .backdoor:
            let (label, trigger) = try Self.trigger(of: attack, on: client.task)
            var generator = SeededGenerator(seed: seed, stream: "backdoor", client.name)
            let count = max(1, Int(((attack.share ?? 0.5) * Double(labels.count)).rounded()))
            let chosen = Set(labels.indices.shuffled(using: &generator).prefix(count))
            return try Self.relabelled(
                client.task, labels: labels.enumerated().map { chosen.contains($0.offset) ? label : $0.element },
                trigger: trigger, on: chosen)
        default: return client.task
        }
    }

    private static func trigger(
        of attack: Attack, on task: NativeTask
    ) throws(SimulationError) -> (label: Int, trigger: FeatureTrigger) {
        guard let features = task.features else {
            throw .settings(path: "simulation.attacks", reason: "has a backdoor, whose trigger needs features")
        }
        let places = attack.features ?? Array(max(0, features - 4)..<features)
        if let place = places.first(where: { $0 >= features }) {
            throw .settings(
                path: "simulation.attacks", reason: "has a trigger at feature \(place); there are \(features)")
        }
        return (attack.label ?? 0, FeatureTrigger(places: places, value: attack.value.map { Float($0) }))
    }

    private static func relabelled(
        _ task: NativeTask, labels: [Int], trigger: FeatureTrigger?, on chosen: Set<Int>
    ) throws(SimulationError) -> NativeTask {
        do throws(TrainingError) {
            return try task.relabelled(labels, trigger: trigger, on: chosen)
        } catch {
            throw .settings(path: "simulation.attacks", reason: "does not go with the data: \(error)")
        }
    }
}
