import AdapterFormat
import LinearAlgebra

@testable import Aggregation

/// A drawn round for robust rules, with plain computations in Double beside it.
struct RobustCohort {
    /// One module of an update in Double: A (rank × inputs), B (outputs × rank).
    struct Factors {
        var a: [[Double]]
        var b: [[Double]]
        var rank: Int { a.count }

        /// scale·B·A of the first components.
        func product(scale: Double, cut: Int) -> [Double] {
            b.flatMap { row in
                (0..<a[0].count).map { column in
                    scale * (0..<min(cut, rank)).reduce(0) { $0 + row[$1] * a[$1][column] }
                }
            }
        }
    }

    let shape: AdapterShape
    let scaling = Scaling.lora(alpha: 16)
    let previous: MemoryAdapter
    private(set) var contributions: [Contribution] = []
    /// The same numbers, update by update.
    private(set) var modules: [[String: Factors]] = []
    private(set) var dense: [[String: [Double]]] = []

    init(clients: Int, rank: Int, type: (Int) -> ScalarType = { [.f32, .f16, .f64, .bf16][$0 % 4] }) throws {
        var generator = SeededGenerator(seed: 9, stream: "robust \(clients) \(rank)")
        func numbers(_ count: Int) -> [Float] { (0..<count).map { _ in Float(generator.normal()) } }
        shape = try AdapterShape(
            modules: [(5, 7), (9, 4), (12, 70)].enumerated().map { index, sides in
                ModuleShape(name: "m\(index)", inputs: sides.0, outputs: sides.1, maximumRank: rank)
            }, dense: [.init(name: "head", shape: [3, 5]), .init(name: "new", shape: [4])])
        previous = MemoryAdapter(
            modules: Dictionary(
                uniqueKeysWithValues: shape.modules.map { module in
                    (
                        module.name,
                        ModuleFactors(
                            rank: rank, inputs: module.inputs, outputs: module.outputs,
                            a: numbers(rank * module.inputs),
                            b: numbers(rank * module.outputs))
                    )
                }), dense: ["head": numbers(15)])
        for client in 0..<clients {
            var tensors: [(name: String, shape: [Int], values: [Float])] = []
            for module in shape.modules where (client + module.inputs) % 6 != 0 {
                let own = max(1, [rank, rank / 2, 1, rank / 3][client % 4])
                tensors.append((module.nameOfA.peft, [own, module.inputs], numbers(own * module.inputs)))
                tensors.append((module.nameOfB.peft, [module.outputs, own], numbers(own * module.outputs)))
            }
            if client % 3 != 1 { tensors.append(("head", [3, 5], numbers(15))) }
            if client % 4 != 2 { tensors.append(("new", [4], numbers(4))) }
            let file = try adapterFile(tensors, type: type(client))
            contributions.append(
                Contribution(
                    client: "edge-\(client < 10 ? "0" : "")\(client)", adapter: file,
                    samples: client % 7 == 6 ? 0 : 20 + client * 13 % 100, accuracy: Double(client % 5) / 5))
            modules.append(
                Dictionary(
                    uniqueKeysWithValues: file.modules.map { module in
                        let (a, b) = (module.a?.floats() ?? [], module.b?.floats() ?? [])
                        return (module.name, Factors(a: rows(a, module.rank), b: rows(b, b.count / module.rank)))
                    }))
            dense.append(
                Dictionary(uniqueKeysWithValues: file.dense.map { ($0.name, $0.values.floats().map { Double($0) }) }))
        }
    }

    /// The updates that have samples.
    var counted: [Int] { contributions.indices.filter { contributions[$0].samples > 0 } }

    func round(
        _ strategy: String, _ rule: RobustRule, weighting: String? = nil, round: Int = 1, threads: Int = 2
    ) throws -> (MemoryRound, RobustReport) {
        var result = MemoryRound()
        let report = try Aggregator(
            strategy: Strategy(named: strategy, weighting: weighting, robust: rule), shape: shape, scaling: scaling
        ).aggregate(
            contributions, round: round, after: EarlierRound(previous: previous), threads: threads, into: &result)
        return (result, report ?? RobustReport())
    }

    /// s_k of a module at this rank.
    func scale(_ rank: Int) -> Double { 16 / Double(rank) }

    /// What updates are compared by, for the trained factors: the products' numbers by module, and the tensors.
    func parts(_ client: Int, with other: Int?, _ factors: FactorSet) -> [[Double]] {
        var parts: [[Double]] = []
        for module in shape.modules {
            let size = module.inputs * module.outputs
            let own = modules[client][module.name]
            guard let other else {
                parts.append(own.map { product($0, module, $0.rank, factors) } ?? zeros(size))
                continue
            }
            guard let own, let others = modules[other][module.name] else { continue }
            parts.append(product(own, module, min(own.rank, others.rank), factors))
        }
        for tensor in shape.dense
        where other.map({ dense[$0][tensor.name] != nil && dense[client][tensor.name] != nil }) ?? true {
            parts.append(dense[client][tensor.name] ?? zeros(tensor.elementCount))
        }
        return parts
    }

    private func zeros(_ count: Int) -> [Double] { [Double](repeating: 0, count: count) }

    private func product(_ own: Factors, _ module: ModuleShape, _ cut: Int, _ factors: FactorSet) -> [Double] {
        var own = own
        var scale = scale(own.rank)
        let last = previous.modules[module.name]
        if !factors.contains(.a), let last { own.a = Array(rows(last.a, last.rank).prefix(own.rank)) }
        if !factors.contains(.b), let last {
            own.b = rows(last.outputMajorB(), module.outputs).map { Array($0.prefix(own.rank)) }
            scale = self.scale(last.rank)
        }
        return own.product(scale: scale, cut: cut)
    }
}

private func rows(_ values: [Float], _ count: Int) -> [[Double]] {
    let width = values.count / count
    return (0..<count).map { row in values[row * width..<(row + 1) * width].map { Double($0) } }
}
