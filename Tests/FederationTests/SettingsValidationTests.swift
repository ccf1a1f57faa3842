import Federation
import Testing

@Suite struct SettingsValidationTests {
    /// A change to sound settings that `validate()` refuses, naming the path.
    struct Refused: Sendable, CustomTestStringConvertible {
        let path: String
        let testDescription: String
        let change: @Sendable (inout FederationSettings) -> Void

        init(_ path: String, _ note: String, _ change: @escaping @Sendable (inout FederationSettings) -> Void) {
            self.path = path
            testDescription = "\(path) \(note)"
            self.change = change
        }
    }

    private static func module(
        _ inputs: Int = 64, _ outputs: Int = 200, rank: Int? = nil, kind: FederationSettings.Module.Kind = .linear
    ) -> FederationSettings.Module {
        .init(kind: kind, inputs: inputs, outputs: outputs, maximumRank: rank, bias: false)
    }

    static let adapterCases = [
        Refused("base_model.name", "empty") { $0.baseModel.name = "" },
        Refused("adapter.max_rank", "0") { $0.adapter.maximumRank = 0 },
        Refused("adapter.max_rank", "65537") { $0.adapter.maximumRank = 65_537 },
        Refused("adapter.scaling.value", "0") { $0.adapter.scaling = .constant(0) },
        Refused("adapter.scaling.value", "not a number") { $0.adapter.scaling = .constant(.nan) },
        Refused("adapter.scaling.alpha", "lora, negative") { $0.adapter.scaling = .lora(alpha: -1) },
        Refused("adapter.scaling.alpha", "rslora, infinite") { $0.adapter.scaling = .rslora(alpha: .infinity) },
        Refused("adapter.message_bits", "5") { $0.adapter.messageBits = 5 },
        Refused("strategy.gamma", "not a number") { $0.strategy.parameters["gamma"] = .number(.nan) },
        Refused("server.learning_rate", "0") { $0.server.learningRate = 0 },
        Refused("server.learning_rate", "infinite") { $0.server.learningRate = .infinity },
        Refused("adapter.modules", "none") { $0.adapter.modules = [:] },
        Refused("adapter.modules.", "empty name") { $0.adapter.modules = ["": module()] },
        Refused("adapter.modules." + String(repeating: "x", count: 513), "long name") {
            $0.adapter.modules = [String(repeating: "x", count: 513): module()]
        },
        Refused("adapter.modules.m\0", "name with a zero byte") { $0.adapter.modules = ["m\0": module()] },
        Refused("adapter.dense.m\n", "name with a line break") { $0.adapter.dense = ["m\n": .init(shape: [1])] },
        Refused("adapter.modules.m.in", "0") { $0.adapter.modules["m"] = module(0) },
        Refused("adapter.modules.m.out", "negative") { $0.adapter.modules["m"] = module(1, -1) },
        Refused("adapter.modules.m.max_rank", "0") { $0.adapter.modules["m"] = module(rank: 0) },
        Refused("adapter.modules.m.max_rank", "65537") { $0.adapter.modules["m"] = module(rank: 65_537) },
        Refused("adapter.modules.m.kernel", "height 0") {
            $0.adapter.modules["m"] = module(kind: .convolution(height: 0, width: 3))
        },
        Refused("adapter.modules.m.kernel", "width 0") {
            $0.adapter.modules["m"] = module(kind: .convolution(height: 3, width: 0))
        },
        Refused("adapter.modules.m", "A too large") { $0.adapter.modules["m"] = module(1 << 26) },
        Refused("adapter.modules", "too many experts") {
            for name in ["m", "n"] { $0.adapter.modules[name] = module(1, 1, rank: 1, kind: .experts(count: 40_000)) }
            $0.adapter.config["target_parameters"] = #"["m", "n"]"#
        },
        Refused("adapter", "too many numbers in all") {
            for name in "abcdef" { $0.adapter.modules["\(name)"] = module(1 << 21, 1, rank: 100) }
        },
        Refused("adapter.scaling.value", "too small to divide by") { $0.adapter.scaling = .constant(1e-300) },
        Refused("adapter.scaling.alpha", "too large") { $0.adapter.scaling = .lora(alpha: 1e300) },
        Refused("adapter.dense.n.init.normal", "beyond a Float") {
            $0.adapter.dense = ["n": .init(shape: [1], initial: .normal(1e300))]
        },
        Refused("server.learning_rate", "beyond a Float") { $0.server.learningRate = 1e300 },
        Refused("adapter.modules.m", "A overflows") {
            $0.adapter.modules["m"] = module(.max, kind: .convolution(height: .max, width: .max))
        },
        Refused("adapter.modules.m", "B too large") { $0.adapter.modules["m"] = module(1, .max) },
        Refused("adapter.dense.", "empty name") { $0.adapter.dense = ["": .init(shape: [1])] },
        Refused("adapter.dense.n", "no sides") { $0.adapter.dense = ["n": .init(shape: [])] },
        Refused("adapter.dense.n", "nine sides") {
            $0.adapter.dense = ["n": .init(shape: [Int](repeating: 1, count: 9))]
        },
        Refused("adapter.dense.n", "side of 0") { $0.adapter.dense = ["n": .init(shape: [3, 0])] },
        Refused("adapter.dense.n", "too large") { $0.adapter.dense = ["n": .init(shape: [1 << 16, 1 << 16])] },
    ]

    static let policyCases = [
        Refused("limits.max_clients", "0") { $0.limits.clients = 0 },
        Refused("limits.max_clients", "1000001") { $0.limits.clients = 1_000_001 },
        Refused("limits.max_samples", "0") { $0.limits.samples = 0 },
        Refused("limits.max_samples", "the largest integer") { $0.limits.samples = .max },
        Refused("round.total", "0") { $0.policy.total = 0 },
        Refused("round.total", "1000001") { $0.policy.total = 1_000_001 },
        Refused("round.min_clients", "0") { $0.policy.minimumClients = 0 },
        Refused("round.min_clients", "above limits") { $0.policy.minimumClients = 6 },
        Refused("round.min_updates", "0") { $0.policy.minimumUpdates = 0 },
        Refused("round.min_updates", "above limits") { $0.policy.minimumUpdates = 6 },
        Refused("round.target_updates", "below the quorum") { $0.policy.targetUpdates = 1 },
        Refused("round.deadline_seconds", "0") { $0.policy.deadlineSeconds = 0 },
        Refused("round.deadline_seconds", "above a year") { $0.policy.deadlineSeconds = 31_536_001 },
        Refused("round.deadline_seconds", "not a number") { $0.policy.deadlineSeconds = .nan },
        Refused("round.seen_seconds", "negative") { $0.policy.seenSeconds = -1 },
        Refused("round.seen_seconds", "infinite") { $0.policy.seenSeconds = .infinity },
        Refused("round.selection.count", "0") { $0.policy.selection = .count(0) },
        Refused("round.selection.fraction", "0") { $0.policy.selection = .fraction(0) },
        Refused("round.selection.fraction", "above 1") { $0.policy.selection = .fraction(1.0001) },
        Refused("round.selection.fraction", "not a number") { $0.policy.selection = .fraction(.nan) },
        Refused("round.selection.over", "negative") { $0.policy.overSelection = -0.1 },
        Refused("round.selection.over", "above 10") { $0.policy.overSelection = 10.1 },
        Refused("round.min_coverage", "0") { $0.policy.minimumCoverage = 0 },
        Refused("round.min_coverage", "above limits") { $0.policy.minimumCoverage = 6 },
        Refused("limits.max_norm", "0") { $0.limits.norm = 0 },
        Refused("limits.max_norm", "infinite") { $0.limits.norm = .infinity },
        Refused("limits.max_norm_over_median", "below 1") { $0.limits.normOverMedian = 0.9 },
        Refused("limits.max_norm_over_median", "not a number") { $0.limits.normOverMedian = .nan },
        Refused("limits.max_factor_over_median", "below 1") { $0.limits.factorOverMedian = 0.9 },
        Refused("round.buffer", "0") { $0.policy.buffer = .sample(size: 0) },
        Refused("round.buffer", "above limits") { $0.policy.buffer = .sample(size: 6) },
        Refused("round.min_updates", "above the buffer") { $0.policy.buffer = .sample(size: 1) },
        Refused("round.staleness_exponent", "negative") { $0.policy.buffer = .sample(exponent: -1) },
        Refused("round.staleness_exponent", "not a number") { $0.policy.buffer = .sample(exponent: .nan) },
        Refused("round.max_staleness", "negative") { $0.policy.buffer = .sample(staleness: -1) },
        Refused("round.target_updates", "beside a buffer") {
            $0.policy.buffer = .sample()
            $0.policy.targetUpdates = 2
        },
        Refused("round.selection", "beside a buffer") {
            $0.policy.buffer = .sample()
            $0.policy.selection = .count(2)
        },
    ]

    @Test(arguments: adapterCases + policyCases)
    func `a setting that cannot be is refused by its path`(_ refused: Refused) throws {
        var settings = try FederationSettings.sample()
        refused.change(&settings)
        let error = #expect(throws: SettingsError.self) { try settings.validate() }
        #expect(error?.reason.isEmpty == false)
        #expect(error?.path == refused.path)
    }

    @Test func `settings at their bounds are sound`() throws {
        var settings = try FederationSettings.sample()
        settings.adapter.maximumRank = 65_536
        settings.adapter.modules = [
            "m": Self.module(1, 1, rank: 1), String(repeating: "x", count: 512): Self.module(3800, 3800),
        ]
        settings.adapter.dense = ["n": .init(shape: [25_000, 10_000])]
        settings.limits = .init(clients: 1_000_000, samples: 1_000_000_000)
        settings.policy.total = 1_000_000
        settings.policy.deadlineSeconds = 31_536_000
        settings.policy.seenSeconds = 31_536_000
        settings.policy.overSelection = 10
        settings.policy.targetUpdates = 2
        try settings.validate()
    }

    @Test func `a settings error reads as a sentence`() throws {
        var settings = try FederationSettings.sample()
        settings.policy.minimumUpdates = 0
        let error = #expect(throws: SettingsError.self) { try settings.validate() }
        #expect(error?.description == "round.min_updates is 0; expected at least 1")
    }
}

extension RoundPolicy.Buffer {
    fileprivate static func sample(size: Int = 2, exponent: Double = 0.5, staleness: Int = 10) -> Self {
        Self(size: size, stalenessExponent: exponent, maximumStaleness: staleness)
    }
}
