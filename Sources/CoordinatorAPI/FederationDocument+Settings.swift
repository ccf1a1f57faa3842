import Coordinator
package import Federation
import Foundation
package import RankwiseWire

extension FederationSettings {
    /// The settings of a document; `validate()` checks their bounds.
    package init(_ document: FederationDocument) throws(SettingsError) {
        self.init(
            id: try Self.named(document.id),
            baseModel: BaseModel(
                name: document.baseModel.name, seed: document.baseModel.seed,
                sha256: try Self.hash(document.baseModel.sha256)),
            adapter: try Adapter(document.adapter),
            strategy: try Strategy(document.strategy),
            server: Server(optimizer: document.server.optimizer, learningRate: document.server.learningRate),
            robust: try document.robust.map { rule throws(SettingsError) in try Robust(rule) },
            policy: try RoundPolicy(document.round),
            limits: Limits(
                clients: document.limits.maxClients, samples: document.limits.maxSamples,
                norm: document.limits.maxNorm, normOverMedian: document.limits.maxNormOverMedian,
                factorOverMedian: document.limits.maxFactorOverMedian),
            retention: try Retention?(document.retention),
            training: try Self.text(of: document.training),
            seed: document.seed,
            evaluation: try document.evaluation.map { body throws(SettingsError) in try EvaluationPolicy(body) })
    }

    private static func named(_ id: String) throws(SettingsError) -> FederationID {
        do throws(NameError) {
            return try FederationID(id)
        } catch {
            throw SettingsError(path: "id", reason: "is no name: \(error)")
        }
    }

    private static func hash(_ text: String?) throws(SettingsError) -> ContentDigest? {
        guard let text else { return nil }
        guard let digest = ContentDigest(hex: text) else {
            throw SettingsError(path: "base_model.sha256", reason: "is '\(text)'; expected 64 hexadecimal digits")
        }
        return digest
    }

    private static func text(of training: [String: JSONValue]) throws(SettingsError) -> String {
        do throws(WireError) {
            return String(decoding: try WireJSON.encode(training), as: UTF8.self)
        } catch {
            throw SettingsError(path: "training", reason: "\(error)")
        }
    }

    /// The case with this raw value.
    fileprivate static func choice<T: RawRepresentable & CaseIterable>(
        _ text: String, of type: T.Type, path: String
    ) throws(SettingsError) -> T where T.RawValue == String {
        guard let value = T(rawValue: text) else {
            let known = T.allCases.map(\.rawValue).joined(separator: ", ")
            throw SettingsError(path: path, reason: "is '\(text)'; expected one of \(known)")
        }
        return value
    }
}

extension FederationSettings.Adapter {
    init(_ document: FederationDocument.Adapter) throws(SettingsError) {
        var modules: [String: FederationSettings.Module] = [:]
        for (name, module) in document.modules { modules[name] = try FederationSettings.Module(module, named: name) }
        var dense: [String: FederationSettings.Dense] = [:]
        for (name, tensor) in document.dense { dense[name] = try FederationSettings.Dense(tensor, named: name) }
        self.init(
            maximumRank: document.maxRank ?? 0,
            scaling: try FederationSettings.Scaling(document.scaling ?? FederationDocument.Scaling()),
            elementType: try FederationSettings.choice(
                document.dtype ?? "F32", of: FederationSettings.ElementType.self, path: "adapter.dtype"),
            modules: modules, dense: dense, messageBits: document.messageBits,
            config: try Self.carried(document.config),
            template: document.template
                ? FederationSettings.Template(
                    givesMaximumRank: document.maxRank != nil, givesScaling: document.scaling != nil,
                    givesElementType: document.dtype != nil)
                : nil)
    }

    /// The keys of `adapter_config.json` that settings may contain, as canonical JSON.
    private static func carried(_ config: [String: JSONValue]) throws(SettingsError) -> [String: String] {
        let text: Data
        do throws(WireError) { text = try WireJSON.encode(config) } catch {
            throw SettingsError(path: "adapter.config", reason: "\(error)")
        }
        do throws(SettingsError) {
            return try CarriedKeys.read(Array(text), keys: config.keys)
        } catch {
            throw SettingsError(path: "adapter.config.\(error.path)", reason: error.reason)
        }
    }
}

extension FederationSettings.Dense {
    init(_ document: FederationDocument.Dense, named name: String) throws(SettingsError) {
        let initial: FederationSettings.InitialValues =
            switch document.initial {
            case .named("base"): .base
            case .named("zeros"): .zeros
            case .named("ones"): .ones
            case .normal(let deviation): .normal(deviation)
            case .named(let other):
                throw SettingsError(
                    path: "adapter.dense.\(name).init",
                    reason: "is '\(other)'; expected base, zeros, ones or {\"normal\": σ}")
            }
        self.init(shape: document.shape, initial: initial)
    }
}

extension FederationDocument.Dense {
    init(_ dense: FederationSettings.Dense) {
        let initial: FederationDocument.InitialValues =
            switch dense.initial {
            case .base: .named("base")
            case .zeros: .named("zeros")
            case .ones: .named("ones")
            case .normal(let deviation): .normal(deviation)
            case .template: .named("template")
            }
        self.init(shape: dense.shape, initial: initial)
    }
}

extension FederationSettings.Strategy {
    init(_ document: FederationDocument.Strategy) throws(SettingsError) {
        var parameters: [String: FederationSettings.Parameter] = [:]
        for (name, value) in document.parameters {
            parameters[name] = try FederationSettings.Parameter(value, at: "strategy.\(name)")
        }
        guard let sum = FederationSettings.Sum(rawValue: document.sum) else {
            throw SettingsError(path: "strategy.sum", reason: "is \(document.sum); expected float or exact")
        }
        self.init(name: document.name, weighting: document.weighting, sum: sum, parameters: parameters)
    }
}

extension FederationSettings.Robust {
    init(_ document: FederationDocument.Robust) throws(SettingsError) {
        var parameters: [String: FederationSettings.Parameter] = [:]
        for (name, value) in document.parameters {
            parameters[name] = try FederationSettings.Parameter(value, at: "robust.\(name)")
        }
        self.init(rule: document.rule, parameters: parameters)
    }
}

extension FederationSettings.Parameter {
    /// - Parameter path: the setting's key.
    init(_ value: JSONValue, at path: String) throws(SettingsError) {
        switch value {
        case .null: self = .null
        case .bool(let flag): self = .flag(flag)
        case .integer(let number): self = .number(Double(number))
        case .number(let number): self = .number(number)
        case .string, .array, .object:
            throw SettingsError(
                path: path, reason: "has the wrong type; expected a number, true, false or null")
        }
    }
}

extension FederationSettings.Scaling {
    init(_ document: FederationDocument.Scaling) throws(SettingsError) {
        switch (document.mode, document.value, document.alpha) {
        case ("constant", let value, nil): self = .constant(value ?? 1)
        case ("lora", nil, let alpha?): self = .lora(alpha: alpha)
        case ("rslora", nil, let alpha?): self = .rslora(alpha: alpha)
        case ("constant", _, _?):
            throw SettingsError(path: "adapter.scaling.alpha", reason: "does not go with mode constant; expected value")
        case ("lora", nil, nil), ("rslora", nil, nil):
            throw SettingsError(path: "adapter.scaling.alpha", reason: "is missing; mode \(document.mode) takes it")
        case ("lora", _, _), ("rslora", _, _):
            throw SettingsError(
                path: "adapter.scaling", reason: "of mode \(document.mode) takes alpha, and nothing else")
        default:
            throw SettingsError(
                path: "adapter.scaling.mode", reason: "is '\(document.mode)'; expected one of constant, lora, rslora")
        }
    }
}

extension FederationSettings.Module {
    init(_ document: FederationDocument.Module, named name: String) throws(SettingsError) {
        let path = "adapter.modules.\(name)"
        let kind: Kind
        switch (document.kernel, document.embedding ?? false, document.experts) {
        case (nil, false, nil): kind = .linear
        case (nil, true, nil): kind = .embedding
        case (nil, false, let count?): kind = .experts(count: count)
        case (let kernel?, false, nil):
            guard kernel.count == 2 else {
                throw SettingsError(
                    path: path + ".kernel", reason: "has \(kernel.count.counted("side")); expected height and width")
            }
            kind = .convolution(height: kernel[0], width: kernel[1])
        default:
            throw SettingsError(
                path: path, reason: "has several of kernel, embedding and experts; expected one of them, or none")
        }
        self.init(
            kind: kind, inputs: document.inputs, outputs: document.outputs, maximumRank: document.maxRank,
            bias: document.bias ?? false, alpha: document.alpha)
    }
}

extension RoundPolicy {
    package init(_ document: FederationDocument.Round) throws(SettingsError) {
        self.init(
            total: document.total, minimumClients: document.minClients, minimumUpdates: document.minUpdates,
            targetUpdates: document.targetUpdates, deadlineSeconds: document.deadlineSeconds,
            onMissedQuorum: try FederationSettings.choice(
                document.onMissedQuorum, of: MissedQuorum.self, path: "round.on_missed_quorum"),
            selection: document.selection.count.map { .count($0) } ?? .fraction(document.selection.fraction),
            preference: try FederationSettings.choice(
                document.selection.policy, of: Preference.self, path: "round.selection.policy"),
            overSelection: document.selection.over, seenSeconds: document.seenSeconds,
            minimumCoverage: document.minCoverage, buffer: try Self.buffer(document))
    }

    private static func buffer(_ document: FederationDocument.Round) throws(SettingsError) -> Buffer? {
        if let size = document.buffer {
            return Buffer(
                size: size, stalenessExponent: document.stalenessExponent ?? 0.5,
                maximumStaleness: document.maxStaleness ?? 10)
        }
        for (key, isThere) in [
            ("staleness_exponent", document.stalenessExponent != nil), ("max_staleness", document.maxStaleness != nil),
        ] where isThere {
            throw SettingsError(path: "round.\(key)", reason: "goes with round.buffer only; leave it out")
        }
        return nil
    }
}

extension FederationDocument {
    /// The document that describes these settings, with every default written out.
    package init(_ settings: FederationSettings) throws(WireError) {
        self.init(
            id: settings.id.rawValue,
            baseModel: BaseModel(
                name: settings.baseModel.name, seed: settings.baseModel.seed, sha256: settings.baseModel.sha256?.hex),
            adapter: try Adapter(settings.adapter),
            strategy: Strategy(settings.strategy),
            server: Server(optimizer: settings.server.optimizer, learningRate: settings.server.learningRate),
            robust: settings.robust.map(Robust.init), round: Round(settings.policy),
            limits: Limits(
                maxClients: settings.limits.clients, maxSamples: settings.limits.samples,
                maxNorm: settings.limits.norm, maxNormOverMedian: settings.limits.normOverMedian,
                maxFactorOverMedian: settings.limits.factorOverMedian),
            retention: Retention(settings.retention),
            training: try WireJSON.decode([String: JSONValue].self, from: Data(settings.training.utf8)),
            seed: settings.seed, evaluation: settings.evaluation.map { Evaluation($0) })
    }
}

extension FederationDocument.Adapter {
    init(_ adapter: FederationSettings.Adapter) throws(WireError) {
        var scaling: FederationDocument.Scaling? =
            switch adapter.scaling {
            case .constant(let value): .init(mode: "constant", value: value)
            case .lora(let alpha): .init(mode: "lora", value: nil, alpha: alpha)
            case .rslora(let alpha): .init(mode: "rslora", value: nil, alpha: alpha)
            }
        var (maxRank, dtype): (Int?, String?) = (adapter.maximumRank, adapter.elementType.rawValue)
        if let template = adapter.template, !template.isComplete {
            if !template.givesMaximumRank { maxRank = nil }
            if !template.givesScaling { scaling = nil }
            if !template.givesElementType { dtype = nil }
        }
        var config: [String: JSONValue] = [:]
        for (key, value) in adapter.config {
            config[key] = try WireJSON.decode(JSONValue.self, from: Data(value.utf8))
        }
        self.init(
            maxRank: maxRank, scaling: scaling, dtype: dtype,
            modules: adapter.modules.mapValues { module in
                var document = FederationDocument.Module(
                    inputs: module.inputs, outputs: module.outputs, maxRank: module.maximumRank,
                    bias: module.bias ? true : nil, alpha: module.alpha)
                switch module.kind {
                case .linear: break
                case .convolution(let height, let width): document.kernel = [height, width]
                case .embedding: document.embedding = true
                case .experts(let count): document.experts = count
                }
                return document
            },
            dense: adapter.dense.mapValues(FederationDocument.Dense.init), messageBits: adapter.messageBits,
            config: config, template: adapter.template != nil)
    }
}

extension FederationDocument.Strategy {
    init(_ strategy: FederationSettings.Strategy) {
        self.init(
            name: strategy.name, weighting: strategy.weighting, sum: strategy.sum.rawValue,
            parameters: strategy.parameters.mapValues(JSONValue.init))
    }
}

extension FederationDocument.Robust {
    init(_ robust: FederationSettings.Robust) {
        self.init(rule: robust.rule, parameters: robust.parameters.mapValues(JSONValue.init))
    }
}

extension JSONValue {
    fileprivate init(_ parameter: FederationSettings.Parameter) {
        self =
            switch parameter {
            case .number(let number): Int64(exactly: number).map { .integer($0) } ?? .number(number)
            case .flag(let flag): .bool(flag)
            case .null: .null
            }
    }
}

extension FederationDocument.Round {
    init(_ policy: RoundPolicy) {
        var selection = FederationDocument.Selection(
            over: policy.overSelection, policy: policy.preference.rawValue)
        switch policy.selection {
        case .count(let count): selection.count = count
        case .fraction(let fraction): selection.fraction = fraction
        }
        self.init(
            total: policy.total, minClients: policy.minimumClients, minUpdates: policy.minimumUpdates,
            targetUpdates: policy.targetUpdates, deadlineSeconds: policy.deadlineSeconds,
            onMissedQuorum: policy.onMissedQuorum.rawValue, selection: selection, seenSeconds: policy.seenSeconds,
            minCoverage: policy.minimumCoverage, buffer: policy.buffer?.size,
            stalenessExponent: policy.buffer?.stalenessExponent, maxStaleness: policy.buffer?.maximumStaleness)
    }
}

extension Retention? {
    /// nil keeps all rounds.
    init(_ document: FederationDocument.Retention) throws(SettingsError) {
        switch document.adapters {
        case .named("all"): self = nil
        case .named(let other):
            throw SettingsError(
                path: "retention.adapters", reason: "is '\(other)'; expected all or {\"last\", \"best\", \"every\"}")
        case .some(let some): self = Retention(last: some.last, keepsBest: some.best, every: some.every)
        }
    }
}

extension FederationDocument.Retention {
    init(_ retention: Retention?) {
        self.init(
            adapters: retention.map { .some(.init(last: $0.last, best: $0.keepsBest, every: $0.every)) }
                ?? .named("all"))
    }
}
