package import AdapterFormat
package import Aggregation
package import Federation

/// A federation's settings as shapes of files, scales and a strategy.
package struct AdapterPlan: Sendable {
    /// The federation's adapter, at the maximum ranks.
    package let shape: AdapterShape
    /// The same shape without the tensors beside the factors, which is the shape of a merge.
    let mergeShape: AdapterShape
    package let scaling: AdapterFormat.Scaling
    package let strategy: Strategy
    /// The quantised messages that are accepted beside plain ones: all widths, or none.
    let messageBits: Set<MessageBits>
    private let adapter: FederationSettings.Adapter

    var maximumRank: Int { adapter.maximumRank }

    /// Throws where the modules form no adapter, where the strategy is unknown, or where it cannot use these modules.
    package init(_ settings: FederationSettings) throws(SettingsError) {
        let adapter = settings.adapter
        // Stored settings may come from any writer, so they are checked here too.
        guard AdapterShape.ranks.contains(adapter.maximumRank) else {
            throw SettingsError(path: "adapter.max_rank", reason: "is \(adapter.maximumRank); expected 1 to 65536")
        }
        for (name, module) in adapter.modules {
            guard case .experts(let count) = module.kind, !(1...FederationSettings.mostModules).contains(count) else {
                continue
            }
            throw SettingsError(path: "adapter.modules.\(name).experts", reason: "is \(count); expected 2 to 65536")
        }
        self.adapter = adapter
        messageBits = adapter.messageBits == nil ? [] : Set(MessageBits.allCases)
        scaling = AdapterFormat.Scaling(adapter.scaling)
        do throws(AdapterShapeError) {
            shape = try AdapterShape(
                modules: adapter.modules.flatMap {
                    ModuleShape.all(of: $0.value, named: $0.key, maximumRank: adapter.maximumRank)
                },
                dense: adapter.dense.map {
                    AdapterShape.Dense(name: $0.key, shape: $0.value.shape, initial: .init($0.value.initial))
                },
                type: ScalarType(adapter.elementType))
            mergeShape = try AdapterShape(modules: shape.modules, type: shape.type)
        } catch {
            throw SettingsError(path: "adapter", reason: "is refused: \(error)")
        }
        let robust = try Self.rule(of: settings)
        do throws(StrategyError) {
            strategy = try Strategy(settings, robust: robust)
            try strategy.check(shape)
        } catch {
            throw SettingsError(error)
        }
        try check(settings.policy)
    }

    /// The robust rule of settings, checked with their policy; nil for none.
    static func rule(of settings: FederationSettings) throws(SettingsError) -> RobustRule? {
        guard let robust = settings.robust else { return nil }
        let rule = try RobustRule(robust)
        try check(settings.policy, under: rule)
        return rule
    }

    private static func check(_ policy: RoundPolicy, under robust: RobustRule) throws(SettingsError) {
        let least = robust.leastUpdates
        guard policy.minimumUpdates >= least else {
            throw SettingsError(
                path: "round.min_updates",
                reason: "is \(policy.minimumUpdates); \(robust.name) with these parameters needs at least \(least)")
        }
        guard case .krum(let byzantine, let keep) = robust, keep > policy.minimumUpdates - byzantine else { return }
        throw SettingsError(
            path: "robust.keep",
            reason:
                "is \(keep); of round.min_updates, \(policy.minimumUpdates), all but byzantine, \(byzantine), can be kept"
        )
    }

    /// Checks that the data that rounds send and store under the strategy has a size that the server accepts.
    func checkSize() throws(SettingsError) {
        for shape in [
            strategy.updateShape(of: shape, round: 1, after: 0), strategy.publishedShape(of: shape, round: 0),
        ] {
            try FederationSettings.expectRoom(for: shape.numberCount)
        }
    }

    /// Checks that rounds under the strategy can follow this policy.
    func check(_ policy: RoundPolicy) throws(SettingsError) {
        if policy.buffer != nil, let objection = strategy.objectionToBuffer {
            throw SettingsError(path: "round.buffer", reason: "is refused: \(objection)")
        }
        if let robust = strategy.robust { try Self.check(policy, under: robust) }
        if policy.minimumCoverage != nil, let objection = strategy.objectionToCoverage {
            throw SettingsError(path: "round.min_coverage", reason: "is refused: \(objection)")
        }
    }
}

extension AdapterPlan {
    /// The ranks of a client of rank `rank` in a round, module by module.
    package func ranks(for rank: Int, round: Int) -> [String: Int] {
        var ranks = adapter.ranks(forClientRank: rank)
        for module in shape.modules {
            ranks[module.owner] = ranks[module.owner].map { min($0, strategy.rank(module.maximumRank, in: round)) }
        }
        return ranks
    }

    /// The factor for a B that a client trained at a rank. The scaled B gives the same product at the maximum rank.
    func ratio(ofModule path: String, fromRank rank: Int) -> Double {
        let module = adapter.modules[path]
        return scaling.with(alpha: module?.alpha).ratio(
            fromRank: rank, toRank: module?.maximumRank ?? adapter.maximumRank)
    }

    /// The ranks to which `rank` limits a whole model, in proportion to the modules' maximum ranks.
    func modelRanks(for rank: Int) -> [String: Int] {
        let ranks = shape.modules.map { module in
            (module.owner, max(1, (2 * rank * module.maximumRank + maximumRank) / (2 * maximumRank)))
        }
        return Dictionary(ranks) { $1 }
    }

    /// Whether a module could have more components than these ranks allow.
    func limits(_ ranks: [String: Int]) -> Bool {
        shape.modules.contains { module in ranks[module.owner].map { $0 < min(module.inputs, module.outputs) } ?? false
        }
    }

    /// The shape of a round's adapter slot. Its maximum ranks give the scale that B stands for, not the ranks that are
    /// stored.
    func storedShape(ofRound round: Int) -> AdapterShape {
        let published = strategy.publishedShape(of: shape, round: round)
        return published.modules.isEmpty ? published : shape
    }

    /// The type of a file's numbers with this name; without a name, the federation's type.
    func type(named name: String?) throws(ServiceError) -> ScalarType {
        guard let name else { return shape.type }
        guard let type = ScalarType(rawValue: name), type.isPublishable else { throw .unknownElementType(name) }
        return type
    }
}

extension AdapterPlan {
    /// The longest valid update of a round: every tensor at its maximum rank in the widest type, with the header.
    ///
    /// A quantised row carries its scale and minimum, so a row of one number can be longer than in the widest type.
    ///
    /// - Parameter last: the last round published before it, here and below.
    func updateByteLimit(round: Int, after last: Int) -> Int {
        let shape = strategy.updateShape(of: shape, round: round, after: last)
        let (bytes, overflow) = shape.numberCount.multipliedReportingOverflow(by: messageBits.isEmpty ? 8 : 16)
        return overflow ? .max : min(bytes, .max - shape.readingLimits.headerBytes) + shape.readingLimits.headerBytes
    }

    /// Checks a file from a client.
    func validate(
        _ file: AdapterFile, granted: [String: Int], round: Int, after last: Int, numbersAreSound: Bool
    ) throws(UpdateRefusal) {
        do throws(AdapterError) {
            try strategy.validate(
                file, shape: shape, ranks: granted, round: round, after: last, messageBits: messageBits,
                numbersAreSound: numbersAreSound)
        } catch {
            throw UpdateRefusal(error)
        }
    }

    /// Maps a client's file for a round.
    func open(_ path: String, round: Int, after last: Int) throws(UpdateRefusal) -> AdapterFile {
        let file: SafetensorsFile
        do throws(SafetensorsError) {
            file = try SafetensorsFile(
                path: path, limits: strategy.updateShape(of: shape, round: round, after: last).readingLimits)
        } catch {
            throw UpdateRefusal(error)
        }
        do throws(AdapterError) {
            return try AdapterFile(file, experts: shape.experts)
        } catch {
            throw UpdateRefusal(error)
        }
    }
}
