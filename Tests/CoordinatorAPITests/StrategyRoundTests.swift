import AdapterFormat
import Crypto
import Foundation
import HTTPFetching
import RankwiseWire
import Testing

/// Every strategy over HTTP: plans, updates, adapters, merges and models.
@Suite struct StrategyRoundTests {
    private static let path = TrainedFederation.path

    struct Case: Sendable, CustomTestStringConvertible {
        let strategy: String
        var more = ""
        var ranks = ["a": 4, "bc": 2]
        var publishesMerge = false

        var testDescription: String { strategy + more }
    }

    static let cases = [
        Case(strategy: #"{"name": "fedavg"}"#, ranks: ["a": 4, "bc": 4]),
        Case(strategy: #"{"name": "zeropad", "weighting": "uniform"}"#),
        Case(strategy: #"{"name": "rbla"}"#),
        Case(strategy: #"{"name": "rbla", "weighting": "ranking", "norm_share": 0.25}"#),
        Case(strategy: #"{"name": "rbla", "weighting": "loss", "q": 2}"#),
        Case(strategy: #"{"name": "rbla"}"#, more: #", "server": {"optimizer": "adam", "learning_rate": 0.1}"#),
        Case(strategy: #"{"name": "rbla", "sum": "exact"}"#),
        Case(
            strategy: #"{"name": "rolora", "sum": "exact"}"#, more: #", "server": {"optimizer": "momentum"}"#),
        Case(strategy: #"{"name": "hetlora", "gamma": 0.5}"#),
        Case(strategy: #"{"name": "hetlora"}"#, more: #", "robust": {"rule": "clip"}"#),
        Case(strategy: #"{"name": "rolora"}"#, more: #", "robust": {"rule": "geometric-median"}"#),
        Case(
            strategy: #"{"name": "ffa"}"#,
            more: #", "robust": {"rule": "median", "holders": 1}, "server": {"optimizer": "momentum"}"#),
        Case(strategy: #"{"name": "flora"}"#, publishesMerge: true),
        Case(strategy: #"{"name": "flexlora"}"#),
        Case(strategy: #"{"name": "raflora", "weighting": "norm"}"#),
        Case(strategy: #"{"name": "fedex", "allow_inexact": true, "residual_rank": 2}"#, publishesMerge: true),
        Case(strategy: #"{"name": "fedex"}"#, ranks: ["a": 4, "bc": 4], publishesMerge: true),
        Case(strategy: #"{"name": "lora-fair", "ridge": 0.5}"#),
        Case(strategy: #"{"name": "rolora"}"#),
        Case(strategy: #"{"name": "ffa"}"#),
        Case(strategy: #"{"name": "rac-lora"}"#, publishesMerge: true),
        Case(strategy: #"{"name": "sa-fedlora", "warmup_rounds": 1, "cooling": 0.6}"#),
        Case(strategy: #"{"name": "slora", "sparse_rounds": 2, "density": 0.5}"#),
        Case(strategy: #"{"name": "fdlora"}"#),
    ]

    @Test(arguments: cases)
    func `a strategy runs over HTTP, and its model is its merges and its adapter`(_ subject: Case) async throws {
        let federation = try await TrainedFederation(
            strategy: subject.strategy, more: subject.more, ranks: subject.ranks)
        for number in 1...3 {
            for (plan, _, _) in try await federation.train() {
                let source = try #require(plan.adapter)
                let config = try await federation.configuration(
                    source.href.replacingOccurrences(of: "/adapter?", with: "/adapter_config.json?"))
                if plan.stage == nil {
                    for (module, scale) in plan.scales { #expect(abs(config.scale(of: module) - scale) < 1e-12) }
                }
                #expect(
                    plan.merge.map { [$0.round, $0.since] }
                        == (subject.publishesMerge && number > 1 ? [number - 1, 0] : nil))
            }
            let round = try await federation.reader.get(RoundBody.self, Self.path + "/rounds/\(number)")
            #expect(round.adapter?.merge == subject.publishesMerge)
            // Its file was written beside the sum; from the store it is the same.
            try FileManager.default.removeItem(atPath: federation.folder + "/cache")
            let file = try await federation.reader.call(.get, Self.path + "/rounds/\(number)/adapter").body
            #expect(round.adapter?.digest == "sha256:" + SHA256.hash(data: file).map { $0.hex }.joined())
            try await check(federation, number, publishesMerge: subject.publishesMerge)
        }
        try await federation.stop()
    }

    private func check(_ federation: TrainedFederation, _ number: Int, publishesMerge: Bool) async throws {
        let base = Self.path + "/rounds/\(number)"
        let model = try await federation.adapter(base + "/model")
        let modelConfig = try await federation.configuration(base + "/model/adapter_config.json")
        for module in model.modules { #expect(module.rank == modelConfig.rank(of: module.name)) }
        let whole = try Products(model) { modelConfig.scale(of: $0) }
        let adapter = try await federation.adapter(base + "/adapter")
        #expect(model[dense: "head.bias"]?.values.floats() == adapter[dense: "head.bias"]?.values.floats())
        if adapter.modules.isEmpty {
            // The sparse stage: its values, each in its place.
            for module in ["fc1", "fc2"] {
                let values = try #require(adapter[dense: module + ".sparse_delta"]?.values.floats())
                let kept = try #require(whole.modules[module]).filter { abs($0) > 1e-6 }
                #expect(kept.count == values.count)
                for (kept, value) in zip(kept.sorted(), values.sorted()) { #expect(abs(kept - Double(value)) < 1e-5) }
            }
        } else {
            let config = try await federation.configuration(base + "/adapter_config.json")
            var expected = try Products(adapter) { config.scale(of: $0) }
            if publishesMerge {
                expected = expected + (try Products(try await federation.adapter(base + "/merge?since=0")) { _ in 1 })
            }
            #expect(whole.distance(to: expected) < 1e-5)
        }
        if !publishesMerge { #expect(try await federation.reader.refusal(.get, base + "/merge") == "404 merge.none") }
    }

    @Test(arguments: [#"{"name": "flora"}"#, #"{"name": "rac-lora"}"#, #"{"name": "fedex"}"#])
    func `a model moves by exactly the mean of what its clients trained`(_ strategy: String) async throws {
        let ranks = strategy.contains("flora") ? ["a": 4, "bc": 2] : ["a": 4, "bc": 4]
        let federation = try await TrainedFederation(strategy: strategy, ranks: ranks)
        var merged = Products()
        for number in 1...3 {
            var mean = Products()
            let sent = try await federation.train()
            let total = sent.reduce(0) { $0 + $1.samples }
            for (plan, update, samples) in sent {
                for (module, factors) in update.trained {
                    mean.add(factors, to: module, scale: samples / total * (plan.scales[module] ?? .nan))
                }
            }
            let base = Self.path + "/rounds/\(number)"
            let config = try await federation.configuration(base + "/model/adapter_config.json")
            let model = try Products(try await federation.adapter(base + "/model")) { config.scale(of: $0) }
            #expect(model.distance(to: merged + mean) < 1e-4, "round \(number)")
            merged = try Products(try await federation.adapter(base + "/merge?since=0")) { _ in 1 }
        }
        try await federation.stop()
    }

    @Test func `a model can be had at any rank, at most as far from the whole as its singular values say`() async throws
    {
        let federation = try await TrainedFederation(strategy: #"{"name": "rbla"}"#, rounds: 1, ranks: ["a": 4])
        try await federation.train()
        let base = Self.path + "/model"
        func products(_ query: String) async throws -> Products {
            let config = try await federation.configuration(base + "/adapter_config.json" + query)
            return try Products(try await federation.adapter(base + query)) { config.scale(of: $0) }
        }
        let whole = try await products("")
        #expect(whole.distance(to: try await products("?rank=4")) < 1e-6)
        #expect(whole.distance(to: try await products("?rank=64")) < 1e-6)
        let first = try await products("?rank=1").distance(to: whole)
        let second = try await products("?rank=2").distance(to: whole)
        #expect(first > second && second > 0)
        // Nothing is added or cut: the same bytes as the adapter.
        let adapter = try await federation.reader.call(.get, Self.path + "/adapter")
        let model = try await federation.reader.call(.get, base)
        #expect(adapter.body == model.body)
        for query in ["?rank=0", "?rank=65537", "?dtype=F64"] {
            #expect(try await federation.reader.call(.get, base + query).status == 400)
        }
        try await federation.stop()
    }

    @Test func `plans carry what a strategy asks for`() async throws {
        func firstPlan(_ strategy: String) async throws -> PlanBody {
            let federation = try await TrainedFederation(strategy: strategy, ranks: ["a": 4])
            let plan = try await federation.plan(of: "a")
            try await federation.stop()
            return plan
        }
        let plain = try await firstPlan(#"{"name": "rbla"}"#)
        #expect(plain.train == ["A", "B"] && plain.send == ["A", "B"] && plain.penalty == 0 && !plain.reinitialise)
        #expect(plain.merge == nil && plain.drawn == nil && plain.pruning == nil && plain.stage == nil)
        #expect(plain.messageBits == nil)
        let frozen = try await firstPlan(#"{"name": "ffa"}"#)
        #expect(frozen.train == ["B"] && frozen.send == ["B"])
        #expect(frozen.drawn == .init(factor: "A", round: 0, seed: 11))
        let fresh = try await firstPlan(#"{"name": "rac-lora"}"#)
        #expect(fresh.reinitialise && fresh.train == ["B"] && fresh.drawn == .init(factor: "A", round: 0, seed: 11))
        let pruned = try await firstPlan(#"{"name": "hetlora", "gamma": 0.5, "penalty": 0.25, "min_rank": 2}"#)
        #expect(pruned.pruning == .init(gamma: 0.5, penalty: 0.25, minRank: 2))
        let warm = try await firstPlan(#"{"name": "sa-fedlora", "penalty": 0.125}"#)
        #expect(warm.penalty == 0.125)
        let sparse = try await firstPlan(#"{"name": "slora", "density": 0.25}"#)
        #expect(sparse.stage == .init(name: "sparse", density: 0.25, seed: 11))
    }

    @Test func `ranking weights refuse an update without an accuracy`() async throws {
        let federation = try await TrainedFederation(
            strategy: #"{"name": "rbla", "weighting": "ranking"}"#, ranks: ["a": 4])
        let plan = try await federation.plan(of: "a")
        let update = try await federation.update(of: "a", plan)
        let refused = try await federation.send(update, of: "a", plan, query: "")
        #expect(refused.status == 422)
        #expect(try WireJSON.decode(Problem.self, from: Data(refused.body)).code == "update.accuracy")
        #expect(try await federation.send(update, of: "a", plan).status == 201)
        try await federation.stop()
    }

    @Test func `weights by loss refuse an update without a loss, or with one below 0`() async throws {
        let federation = try await TrainedFederation(
            strategy: #"{"name": "rbla", "weighting": "loss"}"#, ranks: ["a": 4])
        let plan = try await federation.plan(of: "a")
        let update = try await federation.update(of: "a", plan)
        for (query, found) in [("", "is missing"), ("&loss=-0.5", "is -0.5")] {
            let refused = try await federation.send(update, of: "a", plan, query: query)
            #expect(refused.status == 422)
            let problem = try WireJSON.decode(Problem.self, from: Data(refused.body))
            #expect(problem.code == "update.loss" && problem.detail.contains(found))
        }
        #expect(try await federation.send(update, of: "a", plan).status == 201)
        try await federation.stop()
    }

    @Test func `a client that lowers its rank in a round may still send what it trained by the plan before`()
        async throws
    {
        let federation = try await TrainedFederation(strategy: #"{"name": "hetlora"}"#, ranks: ["a": 4, "bc": 4])
        let before = try await federation.plan(of: "a")
        let update = try await federation.update(of: "a", before)
        #expect(try await federation.register("a", rank: 2, byItself: true) == 200)
        #expect(try await federation.register("new", rank: 2, byItself: true) == 401)
        let after = try await federation.plan(of: "a")
        #expect(before.ranks == ["fc1": 4, "fc2": 2] && after.ranks == ["fc1": 2, "fc2": 1])
        #expect(after.revision > before.revision)
        try await federation.restart()
        #expect(try await federation.send(update, of: "a", before).status == 201)
        let other = try await federation.plan(of: "bc")
        _ = try await federation.send(try await federation.update(of: "bc", other), of: "bc", other)
        try await federation.waitForEnd(of: 1)
        let next = try await federation.plan(of: "a")
        #expect(next.round == 2 && next.ranks == after.ranks)
        let tooLarge = try await federation.send(update, of: "a", next)
        #expect(tooLarge.status == 422)
        try await federation.stop()
    }

    @Test(arguments: [
        (#"{"name": "fedprox"}"#, "strategy.name"), (#"{"name": "rbla", "mu": 1}"#, "strategy.mu"),
        (#"{"name": "fedex", "residual_rank": "two"}"#, "strategy.residual_rank"),
        (#"{"name": "fedex", "residual_rank": 0}"#, "strategy.residual_rank"),
        (#"{"name": "hetlora", "weighting": "samples"}"#, "strategy.weighting"),
        (#"{"name": "flora"}, "server": {"optimizer": "adam"}"#, "server.optimizer"),
        (#"{"name": "rbla"}, "server": {"optimizer": "sgd"}"#, "server.optimizer"),
    ])
    func `settings that a strategy cannot have are refused with their key`(_ strategy: String, _ key: String)
        async throws
    {
        let folder = NSTemporaryDirectory() + "rankwise-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let server = try await LiveServer(folder: folder)
        let settings = """
            {"id": "x", "base_model": {"name": "m"}, "strategy": \(strategy),
             "adapter": {"max_rank": 4, "modules": {"fc1": {"in": 6, "out": 5}}}}
            """
        let answer = try await Caller(server, token: LiveServer.admin).call(.post, "/v1/federations", body: settings)
        let problem = try WireJSON.decode(Problem.self, from: Data(answer.body))
        #expect(answer.status == 422 && problem.code == "settings.invalid")
        #expect(problem.detail.hasPrefix(key + " "), "\(problem.detail)")
        try await server.stop()
    }
}

extension UInt8 {
    fileprivate var hex: String { (self < 16 ? "0" : "") + String(self, radix: 16) }
}
