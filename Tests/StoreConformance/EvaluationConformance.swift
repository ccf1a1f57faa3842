package import Federation
import Foundation
import Testing

/// The promises of every metadata store about evaluations.
enum EvaluationConformance {
    static let checks = [
        ConformanceCheck(
            "every step of an evaluation survives a restart", `every step of an evaluation survives a restart`),
        ConformanceCheck(
            "evaluations that have ended are read back, with and without their clients",
            `evaluations that have ended are read back, with and without their clients`),
        ConformanceCheck(
            "a copy from before an evaluation catches up with it", `a copy from before an evaluation catches up with it`
        ),
        ConformanceCheck(
            "evaluations come back with their federation's archive",
            `evaluations come back with their federation's archive`),
    ]

    private static func start(in store: OpenStore) async throws -> LiveFederation {
        let live = try await LiveFederation(creating: "digits", in: store) { settings in
            settings.evaluation = EvaluationPolicy(
                best: .init(metric: "accuracy", mode: .max), plateau: .init(patience: 1, factor: 0.5))
            settings.policy.minimumClients = 2
        }
        for name in ["edge-1", "edge-2"] {
            try await live.step(
                .register(
                    name: ClientName(name), rank: 4, token: Sample.digest(name), capabilities: capabilities))
        }
        return live
    }

    private static func publish(_ live: LiveFederation) async throws {
        let number = try #require(live.machine.round?.number)
        for name in ["edge-1", "edge-2"] { try await live.send("\(name) in \(number)", from: name, round: number) }
        try await live.step(.aggregated(Sample.adapter("round \(number)"), round: number))
    }

    private static func answer(_ live: LiveFederation, _ name: String, _ accuracy: Double) async throws {
        let round = try #require(live.machine.evaluation?.round)
        let answer = EvaluationAnswer(samples: 12, metrics: ["accuracy": accuracy, "loss": 1e-300])
        #expect(try await live.step(.evaluate(answer, by: ClientName(name), round: round)))
    }

    static func `every step of an evaluation survives a restart`(_ subject: StoreUnderTest) async throws {
        var expected: [FederationMachine] = []
        let script: [(LiveFederation) async throws -> Void] = [
            { try await publish($0) },
            { try await answer($0, "edge-1", 0.5) },
            { live in
                try await live.step(
                    .evaluationRefused(ClientName("edge-2"), round: 1, reason: "accuracy is nan"))
            },
            { try await answer($0, "edge-2", 0.75) },
            { live in
                try await publish(live)
                try await live.step(
                    .evaluate(.init(samples: 0, metrics: [:]), by: ClientName("edge-1"), round: 2))
            },
            { try await answer($0, "edge-2", 0.25) },
        ]
        var runs: [(OpenStore) async throws -> Void] = script.enumerated().map { index, action in
            { store in
                let live = try await index == 0 ? start(in: store) : LiveFederation(loadedFrom: store)
                if let last = expected.last { expectEqual(live.machine, last) }
                try await action(live)
                expected.append(live.machine)
            }
        }
        runs.append { store in
            let last = try await LiveFederation(loadedFrom: store)
            expectEqual(last.machine, try #require(expected.last))
            #expect(last.machine.standing.best?.round == 1)
            #expect(last.machine.standing.reductions == [3] && last.machine.evaluation?.isOpen == false)
        }
        try await subject.withRuns(runs)
    }

    static func `evaluations that have ended are read back, with and without their clients`(
        _ subject: StoreUnderTest
    ) async throws {
        try await subject.withStore { store in
            let live = try await start(in: store)
            try await publish(live)
            try await answer(live, "edge-1", 0.5)
            try await publish(live)
            let first = try #require(try await store.metadata.evaluation(ofRound: 1, of: live.id))
            #expect(first.places.map(\.value.state) == [.answered, .awaited] && first.isOpen == false)
            #expect(first.figures?.metrics["accuracy"]?.mean == 0.5)
            #expect(try await store.metadata.evaluation(ofRound: 3, of: live.id) == nil)
            #expect(try await store.metadata.evaluation(ofRound: 1, of: FederationID("other")) == nil)
            let listed = try await store.metadata.evaluations(ofRounds: 1...9, of: live.id)
            #expect(listed.map(\.round) == [1, 2] && listed[0].figures == first.figures)
            #expect(try await store.metadata.evaluations(ofRounds: 2...2, of: live.id).map(\.round) == [2])
        }
    }

    static func `a copy from before an evaluation catches up with it`(_ subject: StoreUnderTest) async throws {
        try await subject.withStore { store in
            let live = try await start(in: store)
            let old = live.machine
            try await publish(live)
            expectEqual(try await store.metadata.current(old), live.machine)
            let open = live.machine
            try await answer(live, "edge-1", 0.5)
            expectEqual(try await store.metadata.current(open), live.machine)
            expectEqual(try await store.metadata.current(old), live.machine)
        }
    }

    static func `evaluations come back with their federation's archive`(_ subject: StoreUnderTest) async throws {
        try await subject.withStore { store in
            let live = try await start(in: store)
            try await publish(live)
            try await answer(live, "edge-1", 0.5)
            try await publish(live)
            try await live.step(
                .evaluationRefused(ClientName("edge-1"), round: 2, reason: "accuracy is nan"))
            try await answer(live, "edge-2", 0.75)
            let first = try #require(try await store.metadata.evaluation(ofRound: 1, of: live.id))
            let archive = try await store.stores.archives.archive(live.id)
            _ = try await store.metadata.delete(live.id, releasing: true, at: Sample.createdAt)
            #expect(try await store.metadata.evaluation(ofRound: 1, of: live.id) == nil)
            let taken = try await store.stores.archives.takeArchive(archive)
            expectEqual(taken.machine, live.machine)
            expectEqual(try #require(try await store.metadata.evaluation(ofRound: 1, of: live.id)), first)
        }
    }

    private static let capabilities = Capabilities(text: #"{"evaluate":true}"#) {
        try JSONDecoder().decode(Capabilities.Claims.self, from: Data($0.utf8))
    }
}

/// Compares all data of two evaluations.
package func expectEqual(_ found: EvaluationRound, _ expected: EvaluationRound) {
    #expect(found.round == expected.round)
    #expect(found.openedAt == expected.openedAt)
    #expect(found.deadline == expected.deadline)
    #expect(found.closedAt == expected.closedAt)
    #expect(found.places == expected.places)
    #expect(found.figures == expected.figures)
    #expect(found.standing == expected.standing)
}
