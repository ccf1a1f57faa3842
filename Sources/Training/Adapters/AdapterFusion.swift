package import AdapterFormat
import Foundation

/// Two adapters as one: p·(scale·B·A) of a personal one plus s·(scale·B·A) of a shared one (`fdlora`'s fusion).
///
/// The product is exact, of the sum of both ranks. Tensors beside the factors are mixed by their shares p/(p + s).
package struct AdapterFusion: Sendable {
    /// How much of each adapter there is.
    package struct Shares: Sendable, Hashable {
        package let personal: Double
        package let shared: Double

        package init(personal: Double, shared: Double) {
            self.personal = personal
            self.shared = shared
        }

        /// Of the tensors that are not factors.
        fileprivate var personalPart: Float {
            personal + shared > 0 ? Float(personal / (personal + shared)) : 0
        }
    }

    /// The weight of p + s beside the loss, which keeps both from growing for nothing.
    private static let penalty = 0.05
    private static let limit = 1.5
    private static let smallestStep = 0.0625

    private let personal: AdapterFile
    private let personalScales: [String: Double]
    private let shared: AdapterFile
    private let sharedScales: [String: Double]
    private let shape: AdapterShape
    /// What the shared adapter's configuration says beside ranks and scales.
    private let carried: [String: String]

    /// - Parameters:
    ///   - personal: a folder as PEFT has it, and so `shared`.
    package init(personal: String, shared: String) throws {
        let (ownConfig, config): (AdapterConfig, AdapterConfig)
        (self.personal, personalScales, ownConfig) = try Self.read(personal)
        (self.shared, sharedScales, config) = try Self.read(shared)
        carried = config.further
        for key in ConfigKey.all {
            guard case .carried(let standard) = key.treatment else { continue }
            let (own, other) = (ownConfig.further[key.name] ?? standard, config.further[key.name] ?? standard)
            guard own == other else {
                throw TrainingError.adapter(
                    file: personal, reason: "its configuration's \(key.name) is \(own), and \(other) in \(shared)")
            }
        }
        let names = [self.personal, self.shared].map { Set($0.modules.map(\.name) + $0.dense.map(\.name)) }
        if let name = names[0].symmetricDifference(names[1]).min() {
            let (has, lacks) = names[0].contains(name) ? (personal, shared) : (shared, personal)
            throw TrainingError.adapter(file: has, reason: "it has \(name), which \(lacks) has not")
        }
        var modules: [ModuleShape] = []
        for module in self.shared.modules {
            guard let own = self.personal[module: module.name], let shape = module.shape, let other = own.shape,
                shape.inputs == other.inputs, shape.outputs == other.outputs, shape.kind == other.kind,
                !shape.hasBias, !other.hasBias, ModuleFactors(module) != nil, ModuleFactors(own) != nil
            else {
                throw TrainingError.adapter(
                    file: personal,
                    reason: "\(module.name) cannot be fused with \(shared)'s: both have A and B of one size")
            }
            modules.append(
                ModuleShape(
                    name: module.name, kind: shape.kind, inputs: shape.inputs, outputs: shape.outputs,
                    maximumRank: module.rank + own.rank))
        }
        for tensor in self.shared.dense
        where self.personal.dense.first(where: { $0.name == tensor.name })?.values.shape != tensor.values.shape {
            throw TrainingError.adapter(file: personal, reason: "\(tensor.name) is of another shape than \(shared)'s")
        }
        shape = try AdapterShape(
            modules: modules, dense: self.shared.dense.map { .init(name: $0.name, shape: $0.values.shape) })
    }

    /// Finds shares that do well on a task by a search that needs no gradient: from the best of four points in steps that
    /// halve, all neighbours of a point scored in one pass. Blocks.
    ///
    /// What is made smallest is the mean loss + 0.05·(p + s); shares are 0 to 1.5.
    ///
    /// - Parameter folder: for the candidates' files.
    package func search(
        on task: NativeTask, settings: TrainingSettings, folder: String
    ) throws -> (shares: Shares, evaluation: Evaluation) {
        var seen: [Shares: Evaluation] = [:]
        func cost(_ shares: Shares) -> Double {
            let loss = seen[shares]?.loss ?? .infinity
            return (loss.isFinite ? loss : .infinity) + Self.penalty * (shares.personal + shares.shared)
        }
        func visit(_ all: [Shares]) throws {
            let new = all.filter { seen[$0] == nil }
            let adapters = try new.enumerated().map { number, shares in
                let path = "\(folder)/candidate-\(number).safetensors"
                try write(shares, to: path)
                return ScoredAdapter(path: path, scales: shape.maximumRanks.mapValues { _ in 1 })
            }
            for (shares, result) in zip(new, try task.score(adapters, settings: settings)) { seen[shares] = result }
        }
        var corners: [Shares] = []
        for (personal, shared) in [(0, 1), (1, 0), (0.5, 0.5), (1, 1)] as [(Double, Double)] {
            corners.append(Shares(personal: personal, shared: shared))
        }
        try visit(corners)
        var best = corners.min { cost($0) < cost($1) } ?? corners[0]
        var step = 0.5
        while step >= Self.smallestStep {
            var neighbours: [Shares] = []
            for (x, y) in [(-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 1), (1, -1), (1, 0), (1, 1)] as [(Double, Double)] {
                let (personal, shared) = (best.personal + step * x, best.shared + step * y)
                guard (0...Self.limit).contains(personal), (0...Self.limit).contains(shared) else { continue }
                neighbours.append(Shares(personal: personal, shared: shared))
            }
            try visit(neighbours)
            if let next = neighbours.min(by: { cost($0) < cost($1) }), cost(next) < cost(best) {
                best = next
            } else {
                step /= 2
            }
        }
        guard let evaluation = seen[best], evaluation.loss.isFinite else {
            throw TrainingError.data(reason: "no mixture of the adapters has a finite loss")
        }
        return (best, evaluation)
    }

    /// Writes the fused adapter, with scale 1.
    package func write(_ shares: Shares, to path: String) throws(TrainingError) {
        try WholeFile.replace(path) { descriptor in
            var writer = try AdapterWriter(shape: shape, descriptor: descriptor)
            for module in shape.modules {
                guard let own = factors(personal, module), let other = factors(shared, module) else { continue }
                let weights = [
                    Float(shares.personal * (personalScales[module.name] ?? 1)),
                    Float(shares.shared * (sharedScales[module.name] ?? 1)),
                ]
                try writer.take(
                    ModuleFactors(
                        rank: module.maximumRank, inputs: module.inputs, outputs: module.outputs, a: own.a + other.a,
                        b: own.b.map { weights[0] * $0 } + other.b.map { weights[1] * $0 }), of: module)
            }
            for tensor in shape.dense {
                let (own, other) = (values(personal, tensor), values(shared, tensor))
                let part = shares.personalPart
                try writer.take(zip(own, other).map { part * $0 + (1 - part) * $1 }, of: tensor)
            }
            try writer.finish()
        }
    }

    /// What PEFT needs beside the fused file.
    package var configuration: AdapterConfig { AdapterConfig(shape: shape, scaling: .constant(1), carried: carried) }

    private func factors(_ file: AdapterFile, _ module: ModuleShape) -> ModuleFactors? {
        file[module: module.name].flatMap { ModuleFactors($0) }
    }

    private func values(_ file: AdapterFile, _ tensor: AdapterShape.Dense) -> [Float] {
        file.dense.first { $0.name == tensor.name }?.values.floats() ?? []
    }

    private static func read(_ folder: String) throws -> (AdapterFile, [String: Double], AdapterConfig) {
        let path = folder + "/adapter_model.safetensors"
        let file = try AdapterFile(trainingFile: path, checked: true)
        let config = try AdapterConfig(of: path)
        // Of two directions with magnitudes, no mixture of factors is the mixture of the products.
        if let tensor = file.dense.first(where: { $0.name.hasSuffix(TensorName.magnitude) }) {
            throw TrainingError.adapter(
                file: path, reason: "it holds \(tensor.name): adapters with DoRA cannot be fused")
        }
        return (file, try config.nativeScales(of: file, at: path), config)
    }
}
