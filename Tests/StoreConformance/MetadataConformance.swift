import Federation
import Foundation
import Testing

/// The promises of every metadata store.
package enum MetadataConformance {
    package static let checks = [
        ConformanceCheck("a created federation is read back whole", `a created federation is read back whole`),
        ConformanceCheck(
            "a federation that is created in the middle of a round keeps it",
            `a federation that is created in the middle of a round keeps it`),
        ConformanceCheck(
            "a name that is taken is refused and what it names stays",
            `a name that is taken is refused and what it names stays`),
        ConformanceCheck(
            "every step of a federation survives a restart", `every step of a federation survives a restart`),
        ConformanceCheck(
            "a discarded federation is gone with all it had, and its name is free",
            `a discarded federation is gone with all it had, and its name is free`),
        ConformanceCheck(
            "rounds are read back newest first, below a number, up to a limit",
            `rounds are read back newest first, below a number, up to a limit`),
        ConformanceCheck(
            "events are read back oldest first, after a number, up to a limit",
            `events are read back oldest first, after a number, up to a limit`),
        ConformanceCheck(
            "a client's rounds are listed newest first, with its answer, its update and its refusals",
            `a client's rounds are listed newest first, with its answer, its update and its refusals`),
        ConformanceCheck(
            "a list of clients is read back by the digest that its event has",
            `a list of clients is read back by the digest that its event has`),
        ConformanceCheck(
            "what a failed round leaves out is on record with its reason",
            `what a failed round leaves out is on record with its reason`),
        ConformanceCheck(
            "a client's update of any round is found by itself, as long as it is held",
            `a client's update of any round is found by itself, as long as it is held`),
        ConformanceCheck("a store that works passes its probe", `a store that works passes its probe`),
    ]

    static func `a created federation is read back whole`(_ subject: StoreUnderTest) async throws {
        let first = try Sample.federation()
        var second = try Sample.federation("other")
        second = StoredFederation(machine: second.machine, createdAt: second.createdAt.adding(seconds: 9))
        try await subject.withRestart { store in
            try await store.metadata.create(first)
            try await store.metadata.create(second)
        } then: { store in
            let found = try await store.metadata.federations().sound
            try #require(found.count == 2)
            for (found, expected) in zip(found, [first, second]) {
                expectEqual(found.machine, expected.machine)
                #expect(found.createdAt == expected.createdAt)
            }
        }
    }

    static func `a client's update of any round is found by itself, as long as it is held`(
        _ subject: StoreUnderTest
    ) async throws {
        try await subject.withStore { store in
            let live = try await LiveFederation(creating: "digits", in: store) { $0.policy.minimumClients = 3 }
            try await live.register("edge-1", "edge-2", "edge-3")
            let (one, two) = (try ClientName("edge-1"), try ClientName("edge-2"))
            func found(_ client: ClientName, round: Int) async throws -> HeldUpdate? {
                try await store.metadata.update(of: client, round: round, in: live.id)
            }
            for name in ["edge-1", "edge-2"] { try await live.send("by \(name)", from: name, round: 1) }
            #expect(try await found(one, round: 1) == live.machine.round?.heldUpdate(of: one))
            #expect(try await found(one, round: 1)?.received == 2)
            try await live.step(.takeBack(two, round: 1))
            #expect(try await found(two, round: 1) == nil)
            #expect(try await found(one, round: 1)?.received == 1)
            for round in [0, 2] { #expect(try await found(one, round: round) == nil) }
            #expect(
                try await store.metadata.update(of: one, round: 1, in: try FederationID("other")) == nil)
            let held = try #require(live.machine.round?.heldUpdate(of: one))
            try await live.send("by edge-3", from: "edge-3", round: 1)
            try await live.step(.setState(.finished))
            let later = try #require(try await found(one, round: 1))
            #expect(later.update.digest == held.update.digest && later.received == 2)
        }
    }

    static func `a federation that is created in the middle of a round keeps it`(_ subject: StoreUnderTest) async throws
    {
        try await subject.withStore { store in
            let live = try await LiveFederation(creating: "first", in: store)
            try await live.register("edge-1", "edge-2")
            try await live.send("one", from: "edge-1", round: 1)
            try await live.step(.refused(Sample.refusal("edge-2", "update.shape"), round: 1))
            var settings = try Sample.settings("second")
            settings.policy = live.machine.settings.policy
            let machine = FederationMachine(
                settings: settings, state: live.machine.state, clients: live.machine.clients,
                round: live.machine.round, publishedRound: 0, revision: 17, planRevision: 9)
            try await store.metadata.create(
                StoredFederation(machine: machine, createdAt: Sample.createdAt))
            let found = try await LiveFederation("second", loadedFrom: store)
            expectEqual(found.machine, machine)
        }
    }

    static func `a name that is taken is refused and what it names stays`(_ subject: StoreUnderTest) async throws {
        try await subject.withStore { store in
            let live = try await LiveFederation(creating: "digits", in: store)
            try await live.register("edge-1")
            let again = try Sample.federation()
            await #expect(throws: StoreError.exists) { try await store.metadata.create(again) }
            let found = try await LiveFederation(loadedFrom: store)
            expectEqual(found.machine, live.machine)
        }
    }

    static func `every step of a federation survives a restart`(_ subject: StoreUnderTest) async throws {
        var expected: [FederationMachine] = []
        let script: [(LiveFederation) async throws -> Void] = [
            { try await $0.register("edge-1", "edge-2", "edge-3") },
            { try await $0.send("first", from: "edge-1", round: 1) },
            { try await $0.step(.takeBack(try ClientName("edge-1"), round: 1)) },
            { try await $0.send("one", from: "edge-1", round: 1) },
            { live in
                let token = IssuedToken(
                    id: "e2", role: .enrolment, hash: Sample.digest("e2"), createdAt: Sample.createdAt,
                    expiresAt: Sample.createdAt.adding(seconds: 9), usesLeft: 2)
                let name = try ClientName("edge-9")
                try await live.steps { machine, step in
                    try machine.handle(.issue(token), in: &step).get()
                    try machine.handle(.withdraw("r1"), in: &step).get()
                    _ = try machine.handle(
                        .register(
                            name: name, rank: 1, token: Sample.digest("9"), capabilities: Sample.capabilities,
                            enrolment: "e2"), in: &step
                    ).get()
                    try machine.handle(.revoke(name), in: &step).get()
                }
                #expect(live.machine.tokens["e2"]?.usesLeft == 1 && live.machine.tokens["r1"] == nil)
            },
            { live in
                live.seconds = 3
                try await live.steps { machine, step in
                    for (code, detail) in [
                        ("update.shape", "fc1 is 8×65"), ("update.rank", "fc1 is 8×65"), ("update.shape", "again"),
                    ] {
                        _ = machine.handle(
                            .refused(try Sample.refusal("edge-2", code, detail), round: 1), in: &step)
                    }
                }
            },
            { try await $0.step(.decline(try ClientName("edge-3"), round: 1, reason: "no data")) },
            { try await $0.step(.revoke(try ClientName("edge-3"))) },
            { live in
                var update = try Sample.update(ClientName("edge-2"), "zero")
                update.factorSizes = FactorSizes(values: [0, 1.5, .greatestFiniteMagnitude])
                try await live.publish("zero")
                try await live.step(.update(update, round: 1))
            },
            { live in
                let name = try ClientName("edge-8")
                try await live.step(
                    .register(
                        name: name, rank: 1, token: Sample.digest("8"), capabilities: Sample.capabilities))
                try await live.step(.revoke(name, byItself: true))
                #expect(live.machine.clients[try ClientName("edge-8")]?.holdsPlace == true)
            },
            { try await $0.step(.aggregated(Sample.adapter("first"), round: 1)) },
            { live in
                var policy = live.machine.settings.policy
                policy.deadlineSeconds = 7
                policy.targetUpdates = 2
                try await live.step(.setPolicy(policy))
                try await live.step(.setState(.paused))
            },
            { live in
                try await live.step(.aggregationFailed(reason: "the disk burned", round: 2))
                try await live.step(.setState(.running))
            },
            { live in
                live.seconds = 500
                try await live.step(.tick(arrivals: []))
            },
        ]
        var runs: [(OpenStore) async throws -> Void] = script.enumerated().map { index, action in
            { store in
                let live =
                    try await index == 0
                    ? LiveFederation(creating: "digits", in: store) : LiveFederation(loadedFrom: store)
                if let last = expected.last { expectEqual(live.machine, last) }
                try await action(live)
                expected.append(live.machine)
            }
        }
        runs.append { store in
            let last = try await LiveFederation(loadedFrom: store)
            expectEqual(last.machine, try #require(expected.last))
            #expect(last.machine.round?.number == 4)
        }
        try await subject.withRuns(runs)
    }

    static func `a discarded federation is gone with all it had, and its name is free`(
        _ subject: StoreUnderTest
    ) async throws {
        try await subject.withStore { store in
            let live = try await LiveFederation(creating: "digits", in: store)
            try await live.register("edge-1", "edge-2")
            try await live.send("one", from: "edge-1", round: 1)
            try store.adapters.append([Sample.part("fc1", .a, rows: 0..<4)], of: live.id, round: 0)
            try await store.metadata.discard(live.id)
            #expect(try await store.metadata.federations().sound.isEmpty)
            #expect(try await store.metadata.round(1, of: live.id) == nil)
            try await store.blobs.sweepBlobs()
            #expect(try live.blob("one") == nil)
            let again = try await LiveFederation(creating: "digits", in: store)
            #expect(try await store.metadata.events(after: 0, limit: 10, of: again.id).isEmpty)
            let rows = try store.adapters.rows(
                9, of: AdapterTensor(name: "fc1", kind: .a), federation: again.id, round: 0)
            #expect(rows.isEmpty)
        }
    }

    static func `rounds are read back newest first, below a number, up to a limit`(_ subject: StoreUnderTest)
        async throws
    {
        try await subject.withStore { store in
            let live = try await LiveFederation(creating: "digits", in: store)
            try await live.register("edge-1", "edge-2")
            for number in 1...4 {
                for client in ["edge-1", "edge-2"] {
                    try await live.send("\(number)\(client)", from: client, round: number)
                }
                try await live.step(.aggregated(Sample.adapter("\(number)"), round: number))
            }
            let federations = store.metadata
            func numbers(before: Int, limit: Int) async throws -> [Int] {
                try await federations.rounds(before: before, limit: limit, of: live.id).map(\.round.number)
            }
            #expect(try await numbers(before: .max, limit: 10) == [5, 4, 3, 2, 1])
            #expect(try await numbers(before: 4, limit: 2) == [3, 2])
            #expect(try await numbers(before: 1, limit: 2) == [])
            #expect(try await numbers(before: 9, limit: 0) == [])
            #expect(try await numbers(before: 9, limit: -1) == [])
            let third = try #require(try await federations.round(3, of: live.id))
            #expect(third.phase == .published(Sample.adapter("3")))
            #expect(third.updates.count == 2)
            #expect(try await federations.round(6, of: live.id) == nil)
            #expect(try await federations.round(1, of: try FederationID("nobody")) == nil)
            #expect(try await federations.rounds(before: 9, limit: 9, of: try FederationID("nobody")).isEmpty)
        }
    }

    static func `a client's rounds are listed newest first, with its answer, its update and its refusals`(
        _ subject: StoreUnderTest
    ) async throws {
        try await subject.withStore { store in
            let live = try await LiveFederation(creating: "digits", in: store)
            try await live.register("edge-1", "edge-2")
            for number in 1...3 {
                for client in ["edge-1", "edge-2"] {
                    try await live.send("\(number)\(client)", from: client, round: number)
                }
                try await live.step(.aggregated(Sample.adapter("\(number)"), round: number))
            }
            try await live.register("edge-3")
            try await live.step(.refused(Sample.refusal("edge-2", "update.shape"), round: 4))
            let federations = store.metadata
            func rounds(_ client: String, before: Int = .max, limit: Int = 10) async throws -> [ClientRound] {
                try await federations.rounds(
                    knowing: try ClientName(client), before: before, limit: limit, of: live.id)
            }
            let first = try await rounds("edge-1")
            #expect(first.map(\.number) == [4, 3, 2, 1])
            #expect(first.map(\.answer) == [.awaited, .answered, .answered, .answered])
            for round in first {
                let whole = try #require(try await federations.round(round.number, of: live.id))
                #expect(round.update == whole.updates[try ClientName("edge-1")])
            }
            #expect(try await rounds("edge-2").map { $0.refusals.map(\.code) } == [["update.shape"], [], [], []])
            #expect(try await rounds("edge-2", before: 4, limit: 2).map(\.number) == [3, 2])
            #expect(try await rounds("edge-3").allSatisfy { $0.number == 4 && $0.update == nil })
            #expect(try await rounds("edge-1", limit: 0).isEmpty)
            #expect(try await rounds("edge-1", limit: -1).isEmpty)
            #expect(try await rounds("nobody").isEmpty)
        }
    }

    static func `events are read back oldest first, after a number, up to a limit`(_ subject: StoreUnderTest)
        async throws
    {
        try await subject.withStore { store in
            let live = try await LiveFederation(creating: "digits", in: store)
            let other = try await LiveFederation(creating: "other", in: store)
            try await live.register("edge-1")
            try await other.register("edge-9")
            try await live.register("edge-2")
            let federations = store.metadata
            let events = try await federations.events(after: 0, limit: 100, of: live.id)
            #expect(
                events.map(\.event.kind) == [
                    "client.registered", "client.registered", "round.opened", "round.selected",
                ])
            #expect(events.map(\.event.client) == [try ClientName("edge-1"), try ClientName("edge-2"), nil, nil])
            #expect(events[2].event.round == 1)
            #expect(events[0].event.at == Sample.createdAt)
            #expect(zip(events, events.dropFirst()).allSatisfy { $0.id < $1.id })
            #expect(try await federations.events(after: events[0].id, limit: 1, of: live.id) == [events[1]])
            #expect(try await federations.events(after: events[3].id, limit: 9, of: live.id).isEmpty)
            #expect(try await federations.events(after: 0, limit: -1, of: live.id).isEmpty)
            let newest = try await federations.events(before: .max, limit: 2, of: live.id)
            #expect(newest == [events[3], events[2]])
            #expect(
                try await federations.events(before: events[2].id, limit: 9, of: live.id) == [events[1], events[0]])
            #expect(try await federations.events(before: events[0].id, limit: 9, of: live.id).isEmpty)
            #expect(try await federations.events(before: .max, limit: -1, of: live.id).isEmpty)
        }
    }

    static func `a list of clients is read back by the digest that its event has`(_ subject: StoreUnderTest)
        async throws
    {
        // The order of registration differs from the order of names.
        let names = (0..<60).map { "edge-\(($0 * 7) % 60)" }
        var expected: [ContentDigest: String] = [:]
        try await subject.withRestart { store in
            let live = try await LiveFederation(creating: "digits", in: store) {
                $0.policy.minimumClients = 60
                $0.policy.selection = .count(55)
                $0.policy.preference = .leastRecent
            }
            let other = try await LiveFederation(creating: "other", in: store)
            try await other.register("edge-9")
            for name in names { try await live.register(name) }
            for client in try #require(live.machine.round).participations.keys.sorted() {
                try await live.send("by \(client)", from: "\(client)", round: 1)
            }
            live.seconds = 700
            try await live.step(.tick(arrivals: []))
            try await live.step(.aggregated(Sample.adapter("1"), round: 1))
            let sorted = names.sorted()
            let selected = sorted.prefix(55).map { "\($0)\n" }.joined()
            for (round, text) in [
                (1, sorted.map { "\($0) 0\n" }.joined()), (1, selected),
                (2, sorted.enumerated().map { "\($1) \($0 < 55 ? 1 : 0)\n" }.joined()), (2, selected),
            ] {
                expected[Sample.contentDigest(text)] = text
                let digest = "\(Sample.contentDigest(text))"
                let events = try await store.metadata.events(after: 0, limit: 1000, of: live.id).map(\.event)
                #expect(
                    events.contains { $0.round == round && $0.detail?.hasSuffix(digest) == true }, "\(events.suffix(5))"
                )
            }
            #expect(expected.count == 3, "the drawn are the same in both rounds")
        } then: { store in
            for (digest, text) in expected {
                let list = try await store.metadata.list(digest, of: try FederationID("digits"))
                #expect(list?.text == text)
                #expect(try await store.metadata.list(digest, of: try FederationID("other")) == nil)
            }
            #expect(try await store.metadata.list(Sample.contentDigest("x"), of: try FederationID("digits")) == nil)
        }
    }

    static func `what a failed round leaves out is on record with its reason`(_ subject: StoreUnderTest) async throws {
        try await subject.withStore { store in
            let live = try await LiveFederation(creating: "digits", in: store)
            try await live.register("edge-1", "edge-2")
            try await live.send("one", from: "edge-1", round: 1)
            live.seconds = 601
            try await live.step(.tick(arrivals: []))
            let round = try #require(try await store.metadata.round(1, of: live.id))
            let reason = "1 of at least 2 updates arrived by the deadline"
            #expect(round.phase == .failed(reason: reason))
            #expect(round.updates.values.map(\.status) == [.leftOut(reason: reason)])
        }
    }

    static func `a store that works passes its probe`(_ subject: StoreUnderTest) async throws {
        try await subject.withStore { store in
            try await store.metadata.probe()
            try await store.metadata.probe()
        }
    }
}
