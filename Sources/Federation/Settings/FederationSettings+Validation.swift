/// An invalid setting: its path, and the expected and the actual value.
package struct SettingsError: Error, Hashable, Sendable, CustomStringConvertible {
    /// A dotted path, such as `round.min_updates`.
    package let path: String
    package let reason: String

    package init(path: String, reason: String) {
        self.path = path
        self.reason = reason
    }

    package var description: String { "\(path) \(reason)" }
}

extension FederationSettings {
    /// The highest count of numbers in one tensor, a gigabyte of them; one row is always stored whole.
    private static let largestTensor = 250_000_000
    /// The highest count of numbers in an adapter, 4 GiB of them. All layers of a 70B model need less at rank 64.
    package static let mostNumbers = 1 << 30
    /// The highest count of modules, where each expert counts as one, and of tensors beside them.
    package static let mostModules = 65_536

    /// The highest sample count that a client may claim. Sums over a million clients, and their means, stay exact.
    private static let mostSamples = 1_000_000_000
    /// The largest step or deviation, so that its effect on a valid update fits a Float.
    private static let largestRate = 1e6
    /// The range of scales, so that scales and their ratios at different ranks fit a Float.
    private static let scales = 1e-9...1e9

    /// Checks every bound that does not need the strategy.
    package func validate() throws(SettingsError) {
        try Self.expect(!baseModel.name.isEmpty || adapter.isDraft, "base_model.name", "is empty; expected a name")
        try validateAdapter()
        try Self.expect(
            (1...1_000_000).contains(limits.clients), "limits.max_clients",
            "is \(limits.clients); expected 1 to 1000000")
        for (name, value) in strategy.parameters {
            guard case .number(let number) = value else { continue }
            try Self.expect(number.isFinite, "strategy.\(name)", "is \(number); expected a finite number")
        }
        for (name, value) in robust?.parameters ?? [:] {
            guard case .number(let number) = value else { continue }
            try Self.expect(number.isFinite, "robust.\(name)", "is \(number); expected a finite number")
        }
        let rate = server.learningRate
        try Self.expect(
            rate > 0 && rate <= Self.largestRate, "server.learning_rate",
            "is \(rate); expected a number above 0, at most \(Self.largestRate)")
        try Self.expect(
            (1...Self.mostSamples).contains(limits.samples), "limits.max_samples",
            "is \(limits.samples); expected 1 to \(Self.mostSamples)")
        if let norm = limits.norm {
            try Self.expect(norm > 0 && norm.isFinite, "limits.max_norm", "is \(norm); expected a number above 0")
        }
        for (path, factor) in [
            ("limits.max_norm_over_median", limits.normOverMedian),
            ("limits.max_factor_over_median", limits.factorOverMedian),
        ] {
            guard let factor else { continue }
            try Self.expect(
                factor >= 1 && factor.isFinite, path, "is \(factor); expected a number of at least 1")
        }
        if let retention {
            try Self.expect(
                retention.last >= 1, "retention.adapters.last", "is \(retention.last); expected at least 1")
            try Self.expect(
                retention.every ?? 1 >= 1, "retention.adapters.every",
                "is \(retention.every ?? 0); expected at least 1")
        }
        try validatePolicy()
        try validateBuffer()
        try validateEvaluation()
    }

    /// An asynchronous federation selects nobody.
    private func validateBuffer() throws(SettingsError) {
        guard let buffer = policy.buffer else { return }
        try Self.expect(
            (1...limits.clients).contains(buffer.size), "round.buffer",
            "is \(buffer.size); expected 1 to limits.max_clients, \(limits.clients)")
        try Self.expect(
            policy.minimumUpdates <= buffer.size, "round.min_updates",
            "is \(policy.minimumUpdates); expected at most round.buffer, \(buffer.size)")
        let exponent = buffer.stalenessExponent
        try Self.expect(
            (0...100).contains(exponent), "round.staleness_exponent", "is \(exponent); expected 0 to 100")
        try Self.expect(
            (0...1_000_000).contains(buffer.maximumStaleness), "round.max_staleness",
            "is \(buffer.maximumStaleness); expected 0 to 1000000")
        try Self.expect(
            policy.targetUpdates == nil, "round.target_updates", "does not go with round.buffer; leave it out")
        try Self.expect(
            policy.selection == .fraction(1) && policy.overSelection == 0 && policy.preference == .uniform,
            "round.selection", "does not go with round.buffer: nobody is selected; leave it out")
    }

    private func validateAdapter() throws(SettingsError) {
        let ranks = 1...65_536
        if let bits = adapter.messageBits {
            try Self.expect(bits == 8 || bits == 4, "adapter.message_bits", "is \(bits); expected null, 8 or 4")
        }
        guard !adapter.isDraft else { return }
        try Self.expect(
            ranks.contains(adapter.maximumRank), "adapter.max_rank", "is \(adapter.maximumRank); expected 1 to 65536")
        switch adapter.scaling {
        case .constant(let value): try Self.expectScale(value, "adapter.scaling.value")
        case .lora(let alpha), .rslora(let alpha): try Self.expectScale(alpha, "adapter.scaling.alpha")
        }
        try Self.expect(!adapter.modules.isEmpty, "adapter.modules", "is empty; expected at least one module")
        try Self.expect(
            adapter.dense.count <= Self.mostModules, "adapter.dense",
            "has \(adapter.dense.count.counted("tensor")); expected at most \(Self.mostModules)")
        var (moduleCount, numberCount) = (0, 0)
        for (name, module) in adapter.modules.sorted(by: { $0.key < $1.key }) {
            let path = "adapter.modules.\(name)"
            try Self.expectName(name, path)
            try Self.expect(module.inputs >= 1, path + ".in", "is \(module.inputs); expected at least 1")
            try Self.expect(module.outputs >= 1, path + ".out", "is \(module.outputs); expected at least 1")
            let rank = module.maximumRank ?? adapter.maximumRank
            try Self.expect(ranks.contains(rank), path + ".max_rank", "is \(rank); expected 1 to 65536")
            if let alpha = module.alpha {
                try Self.expectScale(alpha, path + ".alpha")
                if case .constant = adapter.scaling {
                    throw SettingsError(
                        path: path + ".alpha", reason: "goes with adapter.scaling of mode lora or rslora; leave it out")
                }
            }
            var sides = [module.inputs, rank]
            var experts = 1
            if case .experts(let count) = module.kind {
                try Self.expect((2...65_536).contains(count), path + ".experts", "is \(count); expected 2 to 65536")
                try Self.expect(!module.bias, path + ".bias", "does not go with experts; leave it out")
                try Self.expect(
                    adapter.messageBits == nil, "adapter.message_bits",
                    "is \(adapter.messageBits ?? 0); factors of experts (\(name)) travel as whole numbers of their type"
                )
                sides.append(count)
                experts = count
            }
            if case .convolution(let height, let width) = module.kind {
                try Self.expect(
                    height >= 1 && width >= 1, path + ".kernel", "is \(height) × \(width); expected sides of at least 1"
                )
                sides += [height, width]
            }
            guard let a = Self.elements(sides), let b = Self.elements([module.outputs, rank, experts]) else {
                throw SettingsError(
                    path: path, reason: "has a factor of more than \(Self.largestTensor.counted("number"))")
            }
            // Neither operation overflows, because larger values were refused before.
            moduleCount += experts
            numberCount += a + b
            try Self.expect(
                moduleCount <= Self.mostModules, "adapter.modules",
                "has more than \(Self.mostModules.counted("module")), each expert counting as one")
            try Self.expectRoom(for: numberCount)
        }
        try validateExperts()
        for (name, tensor) in adapter.dense.sorted(by: { $0.key < $1.key }) {
            let path = "adapter.dense.\(name)"
            let shape = tensor.shape
            try Self.expectName(name, path)
            if case .normal(let deviation) = tensor.initial {
                try Self.expect(
                    deviation > 0 && deviation <= Self.largestRate, path + ".init.normal",
                    "is \(deviation); expected a number above 0, at most \(Self.largestRate)")
            }
            guard !shape.isEmpty, shape.count <= 8, shape.allSatisfy({ $0 >= 1 }), let count = Self.elements(shape)
            else {
                throw SettingsError(
                    path: path,
                    reason: "is \(shape.prefix(9)); expected 1 to 8 sides of at least 1 and at most "
                        + Self.largestTensor.counted("number"))
            }
            numberCount += count
            try Self.expectRoom(for: numberCount)
        }
    }

    /// PEFT gives all parameters of experts the adapter's own rank and alpha, because its patterns do not match their
    /// names.
    private func validateExperts() throws(SettingsError) {
        let parameters = adapter.modules.filter { if case .experts = $0.value.kind { true } else { false } }
            .sorted { $0.key < $1.key }
        guard let first = parameters.first else { return }
        for (name, module) in parameters.dropFirst()
        where module.maximumRank != first.value.maximumRank || module.alpha != first.value.alpha {
            throw SettingsError(
                path: "adapter.modules.\(name)",
                reason: "has another rank or alpha than \(first.key); all parameters of experts must have the same")
        }
        let key = "target_parameters"
        try Self.expect(
            !["null", "[]"].contains(adapter.config[key] ?? "null"), "adapter.config.\(key)",
            "is missing; PEFT needs the names of the parameters of experts, such as [\"mlp.experts.gate_up_proj\"]")
    }

    private func validatePolicy() throws(SettingsError) {
        try Self.expect(
            (1...1_000_000).contains(policy.total), "round.total", "is \(policy.total); expected 1 to 1000000")
        try Self.expect(
            policy.minimumClients >= 1, "round.min_clients", "is \(policy.minimumClients); expected at least 1")
        try Self.expect(
            policy.minimumUpdates >= 1, "round.min_updates", "is \(policy.minimumUpdates); expected at least 1")
        try Self.expect(
            policy.minimumClients <= limits.clients, "round.min_clients",
            "is \(policy.minimumClients); limits.max_clients allows only \(limits.clients)")
        try Self.expect(
            policy.minimumUpdates <= limits.clients, "round.min_updates",
            "is \(policy.minimumUpdates); limits.max_clients allows only \(limits.clients)")
        if let target = policy.targetUpdates {
            try Self.expect(
                target >= policy.minimumUpdates, "round.target_updates",
                "is \(target); expected at least round.min_updates, \(policy.minimumUpdates)")
        }
        let deadline = policy.deadlineSeconds
        try Self.expect(
            deadline > 0 && deadline <= 31_536_000, "round.deadline_seconds",
            "is \(deadline); expected above 0, at most a year")
        let seen = policy.seenSeconds
        try Self.expect(
            seen > 0 && seen <= 31_536_000, "round.seen_seconds", "is \(seen); expected above 0, at most a year")
        switch policy.selection {
        case .count(let count):
            try Self.expect(count >= 1, "round.selection.count", "is \(count); expected at least 1")
        case .fraction(let fraction):
            try Self.expect(
                fraction > 0 && fraction <= 1, "round.selection.fraction", "is \(fraction); expected above 0, at most 1"
            )
        }
        if let coverage = policy.minimumCoverage {
            try Self.expect(
                (1...limits.clients).contains(coverage), "round.min_coverage",
                "is \(coverage); expected 1 to limits.max_clients, \(limits.clients)")
        }
        let over = policy.overSelection
        try Self.expect(over >= 0 && over <= 10, "round.selection.over", "is \(over); expected 0 to 10")
    }

    /// Checks that an adapter, or what a strategy stores in its place, may have this count of numbers.
    package static func expectRoom(for numbers: Int) throws(SettingsError) {
        try expect(
            numbers <= mostNumbers, "adapter", "has more than \(mostNumbers.counted("number")) in all its tensors")
    }

    private static func expectScale(_ value: Double, _ path: String) throws(SettingsError) {
        try expect(
            scales.contains(value), path,
            "is \(value); expected a number from \(scales.lowerBound) to \(scales.upperBound)")
    }

    /// Tensor names are stored in columns, file contents and log lines.
    private static func expectName(_ name: String, _ path: String) throws(SettingsError) {
        try expect(
            !name.isEmpty && name.utf8.count <= 512, path,
            "has a name of \(name.utf8.count.counted("byte")); expected 1 to 512")
        let prefix = "base_model.model."
        try expect(
            !name.hasPrefix(prefix), path,
            "begins with \(prefix), which files have and settings leave out; expected \(name.dropFirst(prefix.count))")
        try expect(
            !name.contains("#"), path, "has a # in its name; expected none: it tells the experts of a parameter apart")
        try expect(
            name.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7f }, path,
            "has a control character in its name; expected none")
    }

    private static func expect(_ holds: Bool, _ path: String, _ reason: @autoclosure () -> String) throws(SettingsError)
    {
        guard holds else { throw SettingsError(path: path, reason: reason()) }
    }

    /// The product of the sizes; nil above `largestTensor`.
    private static func elements(_ sides: [Int]) -> Int? {
        var product = 1
        for side in sides {
            let (next, overflow) = product.multipliedReportingOverflow(by: side)
            guard !overflow, next <= largestTensor else { return nil }
            product = next
        }
        return product
    }
}
