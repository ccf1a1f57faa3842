import Federation
import Foundation
import Testing

/// Clients that score published adapters, and what follows from their figures.
@Suite struct EvaluationTests {
    /// A federation of clients by their ranks; all of them can evaluate but those with a name of more than one letter.
    private static func subject(
        _ policy: EvaluationPolicy = EvaluationPolicy(best: .init(metric: "accuracy", mode: .max)),
        clients: [String: Int] = ["a": 8, "b": 8, "c": 4], adjust: (inout FederationSettings) -> Void = { _ in }
    ) throws -> MachineUnderTest {
        var subject = try MachineUnderTest { settings in
            settings.evaluation = policy
            settings.policy.minimumClients = clients.count
            settings.policy.deadlineSeconds = 1000
            adjust(&settings)
        }
        for (name, rank) in clients.sorted(by: { $0.key < $1.key }) {
            try subject.apply(
                .register(
                    name: ClientName(name), rank: rank, token: .repeating(1),
                    capabilities: name.count > 1 ? .none : .evaluating))
        }
        return subject
    }

    @Test func `an evaluation opens with a publication and closes when all have answered`() throws {
        var subject = try Self.subject()
        try subject.publishRound()
        let opened = try #require(subject.machine.evaluation)
        #expect(opened.round == 1 && opened.isOpen && opened.places.map(\.value.rank) == [8, 8, 4])
        // It lies beside the collecting of the next round.
        #expect(subject.round?.number == 2 && subject.round?.phase == .collecting)
        #expect(subject.details("evaluation.opened") == ["3 clients: a, b, c"])
        #expect(try subject.evaluate("a", ["accuracy": 0.9], samples: 30) == .success(true))
        #expect(try subject.evaluate("b", ["accuracy": 0.7], samples: 10) == .success(true))
        #expect(subject.machine.evaluation?.isOpen == true)
        #expect(try subject.evaluate("c", ["accuracy": 0.5], samples: 10) == .success(true))
        let figures = try #require(subject.machine.evaluation?.figures)
        #expect(figures.received == 3 && figures.samples == 50)
        let accuracy = try #require(figures.metrics["accuracy"])
        #expect(abs(accuracy.mean - (0.9 * 30 + 0.7 * 10 + 0.5 * 10) / 50) < 1e-12)
        #expect(accuracy.median == 0.7 && accuracy.worstDecile == 0.5 && accuracy.clients == 3)
        #expect(accuracy.byRank.keys.sorted() == [4, 8])
        #expect(accuracy.byRank[8]?.worst == 0.7 && accuracy.byRank[4]?.mean == 0.5)
        #expect(abs((accuracy.byRank[8]?.mean ?? 0) - (0.9 * 30 + 0.7 * 10) / 40) < 1e-12)
        #expect(subject.machine.standing.best?.round == 1)
        #expect(subject.details("evaluation.closed").first?.hasPrefix("3 of 3 answered, 0 without data") == true)
    }

    @Test func `who died, left, or has no data keeps nobody waiting`() throws {
        var subject = try Self.subject()
        try subject.publishRound()
        #expect(try subject.evaluate("a", [:], samples: 0) == .success(true))
        #expect(try subject.apply(.revoke(ClientName("b"))).count == 1)
        #expect(subject.machine.evaluation?.isOpen == true)
        #expect(subject.machine.isDue(at: subject.now) == false)
        subject.seconds += 60
        #expect(subject.machine.isDue(at: subject.now))
        try subject.apply(.tick(arrivals: []))
        let closed = try #require(subject.machine.evaluation)
        #expect(closed.isOpen == false && closed.places.map(\.value.state) == [.withoutData, .left, .awaited])
        #expect(closed.figures?.received == 0 && closed.figures?.withoutData == 1 && closed.figures?.metrics == [:])
        // Nothing was found, so nothing is the best.
        #expect(subject.machine.standing == EvaluationStanding())
        #expect(try subject.evaluate("c", ["accuracy": 1]) == .failure(.closed(round: 1)))
    }

    @Test func `the same answer is taken once, and another one is refused`() throws {
        var subject = try Self.subject()
        #expect(try subject.evaluate("a", ["accuracy": 1], round: 1) == .failure(.none(round: 1)))
        try subject.publishRound()
        #expect(try subject.evaluate("a", ["accuracy": 1]) == .success(true))
        #expect(try subject.evaluate("a", ["accuracy": 1]) == .success(false))
        #expect(subject.events.isEmpty)
        #expect(try subject.evaluate("a", ["accuracy": 0.5]) == .failure(.exists(round: 1)))
        #expect(try subject.evaluate("zz", ["accuracy": 0.5]) == .failure(.notAsked(round: 1)))
        #expect(try subject.evaluate("b", ["accuracy": 0.5], round: 2) == .failure(.none(round: 2)))
    }

    @Test func `only clients that can evaluate are asked, and of them the drawn share`() throws {
        var subject = try Self.subject(
            EvaluationPolicy(fraction: 0.5), clients: ["a": 8, "b": 8, "c": 8, "d": 8, "old": 8])
        try subject.publishRound()
        // The sampler of these tests draws the last ones and the first one.
        #expect(subject.machine.evaluation?.places.map(\.key.rawValue) == ["a", "d"])
        #expect(subject.details("evaluation.candidates") == ["2 of 4 candidates: a, b, c, d"])
    }

    @Test func `every second round is evaluated, and the last one, before the federation finishes`() throws {
        var subject = try Self.subject(EvaluationPolicy(every: 2))
        try subject.publishRound()
        #expect(subject.machine.evaluation == nil)
        try subject.publishRound()
        #expect(subject.machine.evaluation?.round == 2)
        // The next publication ends an evaluation that lasts too long.
        try subject.publishRound()
        #expect(subject.details("evaluation.closed").first?.contains("round 3 was published") == true)
        #expect(subject.machine.evaluation?.round == 3 && subject.machine.state == .running)
        for name in ["a", "b", "c"] { _ = try subject.evaluate(name, ["loss": 2]) }
        #expect(subject.machine.state == .finished)
        #expect(subject.events == ["evaluation.closed", "federation.finished"])
    }

    @Test func `without anybody who could evaluate, a federation finishes at once`() throws {
        var subject = try Self.subject(clients: ["aa": 8, "bb": 8])
        for _ in 1...3 { try subject.publishRound() }
        #expect(subject.machine.state == .finished)
        #expect(subject.machine.evaluation?.figures?.selected == 0)
    }

    @Test func `an answer that cannot be taken is on record once, and a sound one may follow`() throws {
        var subject = try Self.subject()
        try subject.publishRound()
        let lie = EvaluationAnswer(samples: 5, metrics: ["accuracy": .nan])
        let objection = try #require(lie.objection(most: 1000))
        #expect(objection == .metrics("accuracy is nan; expected a number from 0 to 1.0"))
        for _ in 0..<3 {
            try subject.apply(.evaluationRefused(ClientName("a"), round: 1, reason: objection.detail))
        }
        #expect(subject.events.isEmpty)
        #expect(subject.machine.evaluation?.places.tally.refused == 1)
        #expect(try subject.evaluate("a", ["accuracy": 1]) == .success(true))
    }

    @Test(
        arguments: [
            (-1, ["loss": 1.0], "samples is -1"), (1001, ["loss": 1], "samples is 1001"),
            (0, ["loss": 1], "nothing was scored"), (3, [:], "is empty"), (3, ["": 1], "has the name ''"),
            (3, ["Loss": 1], "has the name 'Loss'"), (3, ["loss": .infinity], "loss is inf"),
            (3, ["loss": -1e13], "loss is -1"), (3, ["accuracy": 1.5], "accuracy is 1.5"),
            (3, ["accuracy": -0.1], "accuracy is -0.1"),
        ] as [(Int, [String: Double], String)])
    func `an answer that makes no sense is refused with what is wrong`(
        _ samples: Int, _ metrics: [String: Double], _ reason: String
    ) throws {
        let objection = EvaluationAnswer(samples: samples, metrics: metrics).objection(most: 1000)
        #expect(objection?.detail.contains(reason) == true, "\(objection?.detail ?? "taken")")
    }

    @Test(arguments: [
        ("accuracy", EvaluationPolicy.Direction.max), ("loss", .min), ("word_error", .min), ("perplexity", .min),
        ("seconds", .min), ("lossless", .max),
    ])
    func `which values are worse follows from a metric's name`(name: String, mode: EvaluationPolicy.Direction) throws {
        #expect(EvaluationFigures.usualDirection(of: name) == mode)
        var subject = try Self.subject(EvaluationPolicy())
        try subject.publishRound()
        for (client, value) in [("a", 1.0), ("b", 2), ("c", 3)] { _ = try subject.evaluate(client, [name: value]) }
        #expect(subject.machine.evaluation?.figures?.metrics[name]?.worstDecile == (mode == .min ? 3 : 1))
    }

    @Test func `more names than figures can have are refused`() {
        let many = Dictionary(uniqueKeysWithValues: (0..<17).map { ("m\($0)", 1.0) })
        #expect(EvaluationAnswer(samples: 1, metrics: many).objection(most: 9)?.detail.contains("17 metrics") == true)
        let most = many.filter { $0.key != "m16" }
        #expect(EvaluationAnswer(samples: 1, metrics: most).objection(most: 9) == nil)
    }

    @Test func `patience ends a federation that gets no better, with its reason on record`() throws {
        let policy = EvaluationPolicy(best: .init(metric: "loss", mode: .min), patience: 2)
        var subject = try Self.subject(policy) { $0.policy.total = 20 }
        for loss in [3.0, 2.0, 2.5, 2.0] {
            try subject.publishRound()
            for name in ["a", "b", "c"] { _ = try subject.evaluate(name, ["loss": loss]) }
        }
        #expect(subject.machine.state == .finished)
        let standing = subject.machine.standing
        #expect(standing.best == .init(round: 2, value: 2) && standing.withoutImprovement == 2)
        let reason = "no improvement in 2 evaluated rounds; the best round is 2"
        #expect(standing.stoppedFor == reason && subject.details("federation.finished") == [reason])
        #expect(subject.round?.phase == .failed(reason: "the federation was finished: \(reason)"))
    }

    @Test func `a plateau lowers the server's learning rate from the next sum on`() throws {
        let policy = EvaluationPolicy(
            best: .init(metric: "loss", mode: .min), plateau: .init(patience: 1, factor: 0.5))
        var subject = try Self.subject(policy) { settings in
            settings.policy.total = 20
            settings.server = .init(optimizer: "adam", learningRate: 0.8)
        }
        for loss in [1.0, 1.0, 2.0] {
            try subject.publishRound()
            for name in ["a", "b", "c"] { _ = try subject.evaluate(name, ["loss": loss]) }
        }
        #expect(subject.machine.standing.reductions == [3, 4])
        #expect((1...5).map(subject.machine.serverLearningRate(inRound:)) == [0.8, 0.8, 0.4, 0.2, 0.2])
        #expect(subject.details("server.learning_rate").first?.hasPrefix("0.2 from round 4 on") == true)
        // A round that is being added up keeps its rate: evaluation of round 4 ends while round 5 aggregates.
        try subject.publishRound()
        try subject.send("a", "b", "c", round: 5)
        #expect(subject.round?.phase == .aggregating)
        for name in ["a", "b", "c"] { _ = try subject.evaluate(name, ["loss": 9]) }
        #expect(subject.machine.standing.reductions == [3, 4, 6])
    }

    @Test func `a plan changes for those who are asked and have answered`() throws {
        var subject = try Self.subject()
        try subject.publishRound()
        let (a, b) = (try ClientName("a"), try ClientName("b"))
        let before = (subject.machine.planRevision(of: a), subject.machine.planRevision(of: b))
        _ = try subject.evaluate("a", ["accuracy": 1])
        #expect(subject.machine.planRevision(of: a) > before.0 && subject.machine.planRevision(of: b) == before.1)
    }

    @Test func `settings that make no sense are refused by their key`() throws {
        func refusal(
            _ policy: EvaluationPolicy, _ adjust: (inout FederationSettings) -> Void = { _ in }
        ) -> String? {
            do {
                _ = try MachineUnderTest { settings in
                    settings.evaluation = policy
                    adjust(&settings)
                }
                return nil
            } catch { return (error as? SettingsError)?.path }
        }
        let best = EvaluationPolicy.Best(metric: "loss", mode: .min)
        #expect(refusal(EvaluationPolicy(every: 0)) == "evaluation.every")
        #expect(refusal(EvaluationPolicy(fraction: 0)) == "evaluation.fraction")
        #expect(refusal(EvaluationPolicy(holdout: 1)) == "evaluation.holdout")
        #expect(refusal(EvaluationPolicy(deadlineSeconds: .nan)) == "evaluation.deadline_seconds")
        #expect(refusal(EvaluationPolicy(best: .init(metric: "A b", mode: .max))) == "evaluation.best.metric")
        #expect(refusal(EvaluationPolicy(patience: 3)) == "evaluation.patience")
        #expect(refusal(EvaluationPolicy(plateau: .init(patience: 1, factor: 0.5))) == "evaluation.plateau")
        let plateau = EvaluationPolicy(best: best, plateau: .init(patience: 1, factor: 1))
        #expect(refusal(plateau) == "evaluation.plateau")
        #expect(refusal(plateau) { $0.server.optimizer = "adam" } == "evaluation.plateau.factor")
        #expect(
            refusal(EvaluationPolicy()) {
                $0.policy.buffer = .init(size: 2, stalenessExponent: 0.5, maximumStaleness: 1)
            } == "evaluation")
        #expect(refusal(EvaluationPolicy(best: best, patience: 3)) == nil)
    }

    @Test func `settings are stored and read as they are, and older ones have no evaluation`() throws {
        var settings = try FederationSettings.sample()
        let old = try JSONEncoder().encode(settings)
        #expect(String(decoding: old, as: UTF8.self).contains("evaluation") == false)
        settings.evaluation = EvaluationPolicy(
            every: 3, best: .init(metric: "loss", mode: .min), patience: 4, plateau: .init(patience: 2, factor: 0.5))
        let stored = try JSONDecoder().decode(FederationSettings.self, from: JSONEncoder().encode(settings))
        #expect(stored == settings)
    }
}

extension MachineUnderTest {
    /// Has all clients answer the current round, and publishes it.
    fileprivate mutating func publishRound() throws {
        let number = try #require(round?.number)
        for name in try #require(round?.participations.keys.map(\.rawValue)) { try send(name, round: number) }
        try apply(.aggregation(of: number))
    }

    fileprivate mutating func evaluate(
        _ name: String, _ metrics: [String: Double], samples: Int = 10, round: Int? = nil
    ) throws -> Result<Bool, EvaluationError> {
        let number = round ?? machine.evaluation?.round ?? 0
        let answer = EvaluationAnswer(samples: samples, metrics: metrics)
        let replies = try apply(.evaluate(answer, by: ClientName(name), round: number))
        return try #require(replies.first)
    }
}

extension Capabilities {
    fileprivate static let evaluating = Capabilities(text: #"{"evaluate": true}"#) {
        try JSONDecoder().decode(Capabilities.Claims.self, from: Data($0.utf8))
    }
}
