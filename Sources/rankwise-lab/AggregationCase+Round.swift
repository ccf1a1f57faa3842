import AdapterFormat
import Aggregation
import ClientAgent
import Foundation
import Simulation

/// A case as a round that can be aggregated.
extension AggregationCase {
    /// What a case comes to.
    private struct Round {
        let strategy: Strategy
        let scaling: Scaling
        let shape: AdapterShape
        let previous: AdapterFile?
    }

    /// Writes `adapter.safetensors` into a folder.
    func aggregate(threads: Int, type: String, into out: URL) throws {
        let type = try ScalarType(publishable: type)
        let round = try self.round(type, sum: kindOfSum())
        let contributions = try updates.indices.map { try contribution(at: $0, to: round) }
        var folder = RoundFolder(out, type: type)
        let report = try Aggregator(
            strategy: round.strategy, shape: round.shape, scaling: round.scaling, seed: seed
        ).aggregate(
            contributions, round: self.round, after: EarlierRound(previous: round.previous), threads: threads,
            into: &folder)
        try folder.finish()
        for leftOut in report?.leftOut ?? [] { print("\(leftOut.client) is left out: \(leftOut.reason)") }
        for note in report?.notes ?? [] { print(note) }
    }

    /// Writes the exact sum of the updates as a part of a round, and the list of its clients beside it.
    func writePart(threads: Int, to target: PartialSumTarget) throws {
        if let sum, sum != SumKind.exact.rawValue {
            throw CaseError("sum is \(sum); partial sums are exact")
        }
        let round = try self.round(.f32, sum: .exact)
        let contributions = try updates.indices.map { index in
            try contribution(
                at: index, to: round, digest: BaseDigest.sha256(ofFile: path(of: updates[index].file)))
        }
        try Aggregator(strategy: round.strategy, shape: round.shape, scaling: round.scaling, seed: seed).writePart(
            of: contributions, round: self.round, in: federation ?? "case", threads: threads, to: target)
    }

    private func round(_ type: ScalarType, sum: SumKind) throws -> Round {
        let strategy = try composedStrategy(sum)
        let scaling = try federationScaling()
        if let scale, abs(scale - scaling.scale(atRank: max(1, rank))) > 1e-6 * abs(scale) {
            throw CaseError(
                "scale is \(scale); the scaling gives \(scaling.scale(atRank: max(1, rank))) at rank \(rank)")
        }
        let previous = try previous.map(adapter)
        return Round(
            strategy: strategy, scaling: scaling, shape: try shape(with: previous, type), previous: previous)
    }

    private func contribution(at index: Int, to round: Round, digest: String? = nil) throws -> Contribution {
        let update = updates[index]
        let number = self.round
        return Contribution(
            client: update.client ?? String(format: "%08d", index), samples: update.samples, scale: update.scale,
            accuracy: update.accuracy, loss: update.loss,
            discount: Contribution.stalenessDiscount(age: max(0, update.staleness ?? 0)), digest: digest
        ) {
            let adapter = try adapter(update.file)
            if let rank = update.rank, let highest = adapter.ranks.values.max(), highest != rank {
                throw CaseError("\(update.file): rank is \(rank); the highest in the file is \(highest)")
            }
            do throws(AdapterError) {
                try round.strategy.validate(
                    adapter, shape: round.shape, ranks: [:], round: number, messageBits: Set(MessageBits.allCases))
            } catch {
                throw CaseError("\(update.file): \(error)")
            }
            return adapter
        }
    }

    private func kindOfSum() throws -> SumKind {
        guard let sum else { return .float }
        guard let kind = SumKind(rawValue: sum) else { throw CaseError("sum is \(sum); expected float or exact") }
        return kind
    }

    /// A case is computed as given. Strategies that a federation would refuse as inexact are accepted here.
    private func composedStrategy(_ sum: SumKind) throws -> Strategy {
        let parameters = Strategy.parametersForAnyRank(named: strategy).merging(parameters) { _, given in given }
        let optimizer = try server.map { try ServerOptimizer(named: $0.optimizer, learningRate: $0.learningRate ?? 1) }
        return try Strategy(
            named: strategy, weighting: weighting, parameters: parameters, optimizer: optimizer ?? .none, sum: sum,
            robust: rule())
    }

    /// The robust rule. A case must have the updates that it needs; a round may have fewer, and says so.
    private func rule() throws -> RobustRule? {
        guard let robust else { return nil }
        let rule = try RobustRule(named: robust.rule, parameters: robust.parameters)
        let counted = updates.count { $0.samples != 0 }
        guard counted >= rule.leastUpdates else {
            throw CaseError(
                "\(rule.name) needs at least \(rule.leastUpdates) updates with samples; there are \(counted)")
        }
        return rule
    }

    private func path(of file: String) -> String { file.hasPrefix("/") ? file : "\(folder)/\(file)" }

    private func adapter(_ file: String) throws -> AdapterFile {
        do {
            return try AdapterFile(SafetensorsFile(path: path(of: file)))
        } catch {
            throw CaseError("\(file): \(error)")
        }
    }

    private func federationScaling() throws -> Scaling {
        switch (scaling.mode, scaling.value, scaling.alpha) {
        case ("constant", let value?, nil): .constant(value)
        case ("lora", nil, let alpha?): .lora(alpha: alpha)
        case ("rslora", nil, let alpha?): .rslora(alpha: alpha)
        default: throw CaseError("the scaling is constant with a value alone, or lora or rslora with an alpha alone")
        }
    }

    /// Every module and tensor of any file, with modules at the round's rank.
    private func shape(with previous: AdapterFile?, _ type: ScalarType) throws -> AdapterShape {
        var modules: [String: ModuleShape] = [:]
        var dense: [String: AdapterShape.Dense] = [:]
        for index in 0...updates.count {
            guard let file = index < updates.count ? try adapter(updates[index].file) : previous else { continue }
            for module in file.modules.compactMap(\.shape) where modules[module.name] == nil {
                modules[module.name] = ModuleShape(
                    name: module.name, kind: module.kind, inputs: module.inputs, outputs: module.outputs,
                    maximumRank: rank, hasBias: module.hasBias)
            }
            for tensor in file.dense where dense[tensor.name] == nil {
                dense[tensor.name] = .init(name: tensor.name, shape: tensor.values.shape)
            }
        }
        return try AdapterShape(modules: Array(modules.values), dense: Array(dense.values), type: type)
    }
}

extension ScalarType {
    /// - Throws: where adapters are not published in a type of this name.
    init(publishable name: String) throws {
        guard let type = ScalarType(rawValue: name), type.isPublishable else {
            throw CaseError("\(name) is not one of F32, F16 and BF16")
        }
        self = type
    }
}
