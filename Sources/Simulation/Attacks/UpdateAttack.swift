import AdapterFormat
import AdapterOperations
import Federation
import Foundation
import LinearAlgebra

/// Turns what attackers trained into what they send.
struct UpdateAttack {
    /// By client.
    private let attacks: [String: Attack]
    private let seed: UInt64
    private let round: Int

    init(_ attacks: [String: Attack], seed: UInt64, round: Int) {
        self.attacks = attacks
        self.seed = seed
        self.round = round
    }

    /// Rewrites the files of all attackers' updates. Blocks.
    ///
    /// - Parameters:
    ///   - updates: of all clients of the round, ascending by name.
    ///   - downloads: gives the file that a client started from.
    func rewrite(_ updates: [LocalRound.Update], downloads: (LocalRound.Update) throws -> String) throws {
        let attacking = updates.filter { attacks[$0.client.rawValue] != nil }
        guard !attacking.isEmpty else { return }
        let all = try updates.map { try FlatUpdate(path: $0.path, scales: $0.scales) }
        let honest = zip(updates, all).first { attacks[$0.0.client.rawValue] == nil }?.1
        for (index, update) in updates.enumerated() {
            guard let attack = attacks[update.client.rawValue] else { continue }
            let trained = all[index]
            let base = try FlatUpdate(path: try downloads(update), scales: update.scales)
            var sent = trained
            for place in trained.tensors.indices {
                let tensor = trained.tensors[place]
                let start = base[tensor.name]?.values ?? tensor.values.map { _ in 0 }
                sent.tensors[place].values = values(
                    attack, tensor, start, all: all, honest: honest, client: update.client.rawValue)
            }
            try sent.write(to: update.path)
        }
    }

    private func values(
        _ attack: Attack, _ trained: FlatUpdate.Tensor, _ start: [Float], all: [FlatUpdate], honest: FlatUpdate?,
        client: String
    ) -> [Float] {
        let factor = attack.usedFactor
        switch attack.kind {
        case .absent, .labelFlip: return trained.values
        case .signFlip: return zip(start, trained.values).map { $0 - factor * ($1 - $0) }
        case .scale, .backdoor: return zip(start, trained.values).map { $0 + factor * ($1 - $0) }
        case .freeRider: return start
        case .noise:
            let squares = zip(start, trained.values).reduce(0.0) { $0 + Double($1.1 - $1.0) * Double($1.1 - $1.0) }
            let deviation = Double(factor) * (squares / Double(max(1, start.count))).squareRoot()
            var generator = SeededGenerator(seed: seed, stream: "noise", client, String(round), trained.name)
            return trained.values.map { $0 + Float(deviation * generator.normal()) }
        case .copy:
            guard let other = honest?[trained.name] else { return start }
            return trained.mapping { row, column in other.value(row, column).map { $0 / trained.scale * other.scale } }
                .enumerated().map { $1 ?? start[$0] }
        case .alie:
            let others = all.compactMap { $0[trained.name] }
            return trained.mapping { row, column in
                let held = others.compactMap { tensor in tensor.value(row, column).map { Double($0 * tensor.scale) } }
                let mean = held.reduce(0, +) / Double(held.count)
                let variance = held.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(held.count)
                return Float((mean - Double(attack.usedDeviations) * variance.squareRoot())) / trained.scale
            }.map { $0 ?? 0 }
        }
    }
}

/// An update's tensors as numbers, of which rows of the same component can be compared between ranks.
struct FlatUpdate {
    struct Tensor {
        let name: String
        let shape: [Int]
        /// Which side is the rank; nil for dense tensors.
        let rankSide: Int?
        /// What B stands for beside others: the scale of its product.
        let scale: Float
        var values: [Float]

        /// A row of the rank's side, or all of a dense tensor, by the place in the other sides.
        func value(_ component: Int, _ place: Int) -> Float? {
            let rank = rankSide.map { shape[$0] } ?? 1
            guard component < rank, place < values.count / rank else { return nil }
            return rankSide == 1 ? values[place * rank + component] : values[component * (values.count / rank) + place]
        }

        /// The tensor's numbers in their order, each from its component and its place.
        func mapping(_ body: (_ component: Int, _ place: Int) -> Float?) -> [Float?] {
            let rank = rankSide.map { shape[$0] } ?? 1
            let width = values.count / max(1, rank)
            return values.indices.map {
                rankSide == 1 ? body($0 % rank, $0 / rank) : body($0 / width, $0 % width)
            }
        }
    }

    var tensors: [Tensor]

    init(tensors: [Tensor]) { self.tensors = tensors }

    subscript(name: String) -> Tensor? { tensors.first { $0.name == name } }

    /// - Parameter scales: of the modules' products.
    init(path: String, scales: [String: Double]) throws {
        tensors = try SafetensorsFile(path: path).tensors.map { view in
            var (side, scale): (Int?, Double) = (nil, 1)
            switch TensorName(parsing: view.name) {
            case .factorA: side = 0
            case .factorB(let module, _): (side, scale) = (1, scales[module] ?? 1)
            case .bias(let module): scale = scales[module] ?? 1
            case .dense: break
            }
            return Tensor(
                name: view.name, shape: view.shape, rankSide: side, scale: Float(scale), values: view.floats())
        }
    }

    func write(to path: String) throws {
        try WholeFile.replace(path) { descriptor in
            var writer = try SafetensorsWriter(
                layout: try SafetensorsLayout(
                    tensors: tensors.map { .init(name: $0.name, type: .f32, shape: $0.shape) }),
                descriptor: descriptor)
            for tensor in tensors { try writer.write(tensor.values, to: tensor.name) }
            try writer.finish()
        }
    }
}
