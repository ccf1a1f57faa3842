import LinearAlgebra
import RankwiseWire
package import Training
import TrainingData

/// One client of a simulation: its name, its rank and its examples.
package struct SimulatedClient: Sendable {
    package let name: String
    package let rank: Int
    /// The base model, which all clients share, with the client's examples.
    package let task: NativeTask

    package init(name: String, rank: Int, task: NativeTask) {
        self.name = name
        self.rank = rank
        self.task = task
    }
}

/// The clients of a simulation, and the examples that no client has.
package struct SimulatedCohort: Sendable {
    /// Ascending by name.
    package let clients: [SimulatedClient]
    package let heldOut: NativeTask
    /// The examples for scoring updates for `ranking` weights; nil where the clients' reports are used.
    package let validation: NativeTask?

    /// Reads the data and distributes them; the same document and files give the same cohort. Blocks.
    package init(_ document: SimulationDocument) throws(SimulationError) {
        let settings = document.simulation
        try settings.validate()
        let seed = document.federation.seed
        do {
            let base = document.federation.baseModel
            let model =
                if let path = settings.base {
                    try ModelRegistry.model(
                        .pretrained(path), dense: document.federation.adapter.dense.mapValues(\.shape))
                } else {
                    try ModelRegistry.model(named: base.name, seed: base.seed ?? 0)
                }
            if let files = settings.data.clients, let test = settings.data.test {
                heldOut = try model.task(data: test)
                validation = nil
                clients = try files.enumerated().map { index, file in
                    SimulatedClient(
                        name: Self.name(index, of: files.count), rank: settings.ranks[index % settings.ranks.count],
                        task: try model.task(data: file))
                }
                return
            }
            var examples = try model.task(data: settings.data.train)
            if let test = settings.data.test {
                heldOut = try model.task(data: test)
            } else {
                let (kept, rest) = try Partition.holdOut(
                    settings.data.holdout ?? 0, of: examples.labels, seed: seed)
                heldOut = examples.subset(rest)
                examples = examples.subset(kept)
            }
            if let share = settings.data.validation {
                let (kept, rest) = try Partition.holdOut(share, of: examples.labels, seed: seed)
                validation = examples.subset(rest)
                examples = examples.subset(kept)
            } else {
                validation = nil
            }
            let hands = try settings.partition.deal(examples.labels, to: settings.clients, seed: seed)
            clients = hands.enumerated().map { index, hand in
                SimulatedClient(
                    name: Self.name(index, of: settings.clients), rank: settings.ranks[index % settings.ranks.count],
                    task: examples.subset(hand))
            }
        } catch {
            throw .data("\(error)")
        }
    }

    /// Names of equal length, so that they sort by number.
    static func name(_ index: Int, of count: Int) -> String {
        let digits = max(2, String(count - 1).count)
        let number = String(index)
        return "client-" + String(repeating: "0", count: digits - number.count) + number
    }
}

extension SimulationSettings.Deal {
    fileprivate func deal(_ labels: [Int], to clients: Int, seed: UInt64) throws(PartitionError) -> [[Int]] {
        switch scheme {
        case .iid: return try Partition.iid.deal(labels, to: clients, seed: seed)
        case .staircase: return try Partition.staircase.deal(labels, to: clients, seed: seed)
        case .dirichlet: return try Partition.dirichlet(alpha: alpha ?? 0).deal(labels, to: clients, seed: seed)
        case .draw:
            return (0..<clients).map { client in
                var generator = SeededGenerator(seed: seed, stream: "drawn examples", String(client))
                return (0..<(examples ?? 1)).map { _ in Int.random(in: labels.indices, using: &generator) }
            }
        }
    }
}
