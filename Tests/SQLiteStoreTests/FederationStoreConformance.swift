import Federation
import Foundation
import Testing

/// What every federation store promises.
@Suite struct FederationStoreConformance {
    @Test(arguments: StoreUnderTest.all)
    func `a created federation is read back whole`(_ subject: StoreUnderTest) async throws {
        let first = try Sample.federation()
        var second = try Sample.federation("other")
        second = StoredFederation(machine: second.machine, createdAt: second.createdAt.adding(seconds: 9))
        try await subject.withRestart { store in
            try await store.federations.create(first)
            try await store.federations.create(second)
        } then: { store in
            let found = try await store.federations.federations().sound
            try #require(found.count == 2)
            for (found, expected) in zip(found, [first, second]) {
                expectEqual(found.machine, expected.machine)
                #expect(found.createdAt == expected.createdAt)
            }
        }
    }

    @Test(arguments: StoreUnderTest.all)
    func `a federation that is created in the middle of a round keeps it`(_ subject: StoreUnderTest) async throws {
        try await subject.withStore { store in
            let live = try await LiveFederation(creating: "first", in: store.federations)
            try await live.register("edge-1", "edge-2")
            try await live.send("one", from: "edge-1", round: 1)
            try await live.step(.refused(Sample.refusal("edge-2", "update.shape"), round: 1))
            var settings = try Sample.settings("second")
            settings.policy = live.machine.settings.policy
            let machine = FederationMachine(
                settings: settings, state: live.machine.state, clients: live.machine.clients,
                round: live.machine.round, publishedRound: 0, revision: 17, planRevision: 9)
            try await store.federations.create(
                StoredFederation(machine: machine, createdAt: Sample.createdAt))
            let found = try await LiveFederation("second", loadedFrom: store.federations)
            expectEqual(found.machine, machine)
        }
    }

    @Test(arguments: StoreUnderTest.all)
    func `a name that is taken is refused and what it names stays`(_ subject: StoreUnderTest) async throws {
        try await subject.withStore { store in
            let live = try await LiveFederation(creating: "digits", in: store.federations)
            try await live.register("edge-1")
            let again = try Sample.federation()
            await #expect(throws: StoreError.exists) { try await store.federations.create(again) }
            let found = try await LiveFederation(loadedFrom: store.federations)
            expectEqual(found.machine, live.machine)
        }
    }

    @Test(arguments: StoreUnderTest.all)
    func `every step of a federation survives a restart`(_ subject: StoreUnderTest) async throws {
        var expected: [FederationMachine] = []
        try await withDirectory { directory in
            let script: [(LiveFederation) async throws -> Void] = [
                { try await $0.register("edge-1", "edge-2", "edge-3") },
                { try await $0.send("one", from: "edge-1", round: 1) },
                { live in
                    let token = IssuedToken(
                        id: "e2", role: .enrolment, hash: Sample.digest("e2"), createdAt: Sample.createdAt,
                        expiresAt: Sample.createdAt.adding(seconds: 9), usesLeft: 2)
                    try await live.step(
                        .issue(token), .withdraw("r1"),
                        .register(
                            name: ClientName("edge-9"), rank: 1, token: Sample.digest("9"), capabilities: "{}",
                            enrolment: "e2"), .revoke(ClientName("edge-9")))
                    #expect(live.machine.tokens["e2"]?.usesLeft == 1 && live.machine.tokens["r1"] == nil)
                },
                { live in
                    live.seconds = 3
                    try await live.step(
                        .refused(Sample.refusal("edge-2", "update.shape"), round: 1),
                        .refused(Sample.refusal("edge-2", "update.rank"), round: 1),
                        .refused(Sample.refusal("edge-2", "update.shape", "again"), round: 1))
                },
                { try await $0.step(.decline(try ClientName("edge-3"), round: 1, reason: "no data")) },
                { try await $0.step(.revoke(try ClientName("edge-3"))) },
                { live in
                    var update = try Sample.update(ClientName("edge-2"), "zero")
                    update.factorSizes = FactorSizes(values: [0, 1.5, .greatestFiniteMagnitude])
                    try await live.step(.update(update, round: 1, spool: live.spool("zero")))
                },
                { live in
                    try await live.step(
                        .takeBack(ClientName("edge-2"), round: 1),
                        .register(name: ClientName("edge-8"), rank: 1, token: Sample.digest("8"), capabilities: "{}"),
                        .revoke(ClientName("edge-8"), byItself: true))
                    #expect(live.machine.clients[try ClientName("edge-8")]?.holdsPlace == true)
                },
                { try await $0.send("two", from: "edge-2", round: 1) },
                { try await $0.step(.aggregated(Sample.adapter("first"), round: 1)) },
                { live in
                    var policy = live.machine.settings.policy
                    policy.deadlineSeconds = 7
                    policy.targetUpdates = 2
                    try await live.step(.setPolicy(policy), .setState(.paused))
                },
                { try await $0.step(.aggregationFailed(reason: "the disk burned", round: 2), .setState(.running)) },
                { live in
                    live.seconds = 500
                    try await live.step(.tick(arrivals: []))
                },
            ]
            for (index, action) in script.enumerated() {
                let store = try subject.open(directory)
                let live =
                    try await index == 0
                    ? LiveFederation(creating: "digits", in: store.federations)
                    : LiveFederation(loadedFrom: store.federations)
                if let last = expected.last { expectEqual(live.machine, last) }
                try await action(live)
                expected.append(live.machine)
                try store.close()
            }
            let store = try subject.open(directory)
            let last = try await LiveFederation(loadedFrom: store.federations)
            expectEqual(last.machine, try #require(expected.last))
            #expect(last.machine.round?.number == 4)
            try store.close()
        }
    }

    @Test(arguments: StoreUnderTest.all)
    func `a step from another revision changes nothing`(_ subject: StoreUnderTest) async throws {
        try await subject.withStore { store in
            let live = try await LiveFederation(creating: "digits", in: store.federations)
            let stale = try await LiveFederation(loadedFrom: store.federations)
            try await live.register("edge-1")
            let events = try await store.federations.events(after: 0, limit: 100, of: live.id)
            await #expect(throws: StoreError.conflict) { try await stale.register("edge-2") }
            let found = try await LiveFederation(loadedFrom: store.federations)
            expectEqual(found.machine, live.machine)
            #expect(try await store.federations.events(after: 0, limit: 100, of: live.id) == events)
        }
    }

    @Test(arguments: StoreUnderTest.all)
    func `a step of a federation that is not there conflicts`(_ subject: StoreUnderTest) async throws {
        try await subject.withStore { store in
            let live = try await LiveFederation(creating: "digits", in: store.federations)
            try await store.federations.discard(live.id)
            await #expect(throws: StoreError.conflict) { try await live.register("edge-1") }
        }
    }

    @Test(arguments: StoreUnderTest.all)
    func `an update refused for conflict leaves its spool file and no blob`(_ subject: StoreUnderTest) async throws {
        try await subject.withStore { store in
            let live = try await LiveFederation(creating: "digits", in: store.federations)
            try await live.register("edge-1", "edge-2")
            let stale = try await LiveFederation(loadedFrom: store.federations)
            try await live.send("one", from: "edge-1", round: 1)
            let spool = try stale.spool("two")
            let update = Sample.update(try ClientName("edge-2"), "two")
            await #expect(throws: StoreError.conflict) {
                try await stale.step(.update(update, round: 1, spool: spool))
            }
            #expect(FileManager.default.fileExists(atPath: spool.path))
            #expect(live.blob("two") == nil)
        }
    }

    @Test(arguments: StoreUnderTest.all)
    func `a discarded federation is gone with all it had, and its name is free`(
        _ subject: StoreUnderTest
    ) async throws {
        try await subject.withStore { store in
            let live = try await LiveFederation(creating: "digits", in: store.federations)
            try await live.register("edge-1", "edge-2")
            try await live.send("one", from: "edge-1", round: 1)
            try store.adapters.append([Sample.part("fc1", .a, rows: 0..<4)], of: live.id, round: 0)
            try await store.federations.discard(live.id)
            #expect(try await store.federations.federations().sound.isEmpty)
            #expect(try await store.federations.round(1, of: live.id) == nil)
            try await store.federations.sweepBlobs()
            #expect(live.blob("one") == nil)
            let again = try await LiveFederation(creating: "digits", in: store.federations)
            #expect(try await store.federations.events(after: 0, limit: 10, of: again.id).isEmpty)
            let rows = try store.adapters.rows(
                9, of: AdapterTensor(name: "fc1", kind: .a), federation: again.id, round: 0)
            #expect(rows.isEmpty)
        }
    }

    @Test(arguments: StoreUnderTest.all)
    func `rounds are read back newest first, below a number, up to a limit`(_ subject: StoreUnderTest) async throws {
        try await subject.withStore { store in
            let live = try await LiveFederation(creating: "digits", in: store.federations)
            try await live.register("edge-1", "edge-2")
            for number in 1...4 {
                for client in ["edge-1", "edge-2"] {
                    try await live.send("\(number)\(client)", from: client, round: number)
                }
                try await live.step(.aggregated(Sample.adapter("\(number)"), round: number))
            }
            let federations = store.federations
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

    @Test(arguments: StoreUnderTest.all)
    func `events are read back oldest first, after a number, up to a limit`(_ subject: StoreUnderTest) async throws {
        try await subject.withStore { store in
            let live = try await LiveFederation(creating: "digits", in: store.federations)
            let other = try await LiveFederation(creating: "other", in: store.federations)
            try await live.register("edge-1")
            try await other.register("edge-9")
            try await live.register("edge-2")
            let federations = store.federations
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
        }
    }

    @Test(arguments: StoreUnderTest.all)
    func `a list of clients is read back by the digest that its event has`(_ subject: StoreUnderTest) async throws {
        // In another order than that of the names.
        let names = (0..<60).map { "edge-\(($0 * 7) % 60)" }
        var expected: [ContentDigest: String] = [:]
        try await subject.withRestart { store in
            let live = try await LiveFederation(creating: "digits", in: store.federations) {
                $0.policy.minimumClients = 60
                $0.policy.selection = .count(55)
                $0.policy.preference = .leastRecent
            }
            let other = try await LiveFederation(creating: "other", in: store.federations)
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
                let events = try await store.federations.events(after: 0, limit: 1000, of: live.id).map(\.event)
                #expect(
                    events.contains { $0.round == round && $0.detail?.hasSuffix(digest) == true }, "\(events.suffix(5))"
                )
            }
            #expect(expected.count == 3, "the drawn are the same in both rounds")
        } then: { store in
            for (digest, text) in expected {
                let list = try await store.federations.list(digest, of: try FederationID("digits"))
                #expect(list?.text == text)
                #expect(try await store.federations.list(digest, of: try FederationID("other")) == nil)
            }
            #expect(try await store.federations.list(Sample.contentDigest("x"), of: try FederationID("digits")) == nil)
        }
    }

    @Test(arguments: StoreUnderTest.all)
    func `what a failed round leaves out is on record with its reason`(_ subject: StoreUnderTest) async throws {
        try await subject.withStore { store in
            let live = try await LiveFederation(creating: "digits", in: store.federations)
            try await live.register("edge-1", "edge-2")
            try await live.send("one", from: "edge-1", round: 1)
            live.seconds = 601
            try await live.step(.tick(arrivals: []))
            let round = try #require(try await store.federations.round(1, of: live.id))
            let reason = "1 of at least 2 updates arrived by the deadline"
            #expect(round.phase == .failed(reason: reason))
            #expect(round.updates.values.map(\.status) == [.leftOut(reason: reason)])
        }
    }

    @Test(arguments: StoreUnderTest.all)
    func `a store that works passes its probe`(_ subject: StoreUnderTest) async throws {
        try await subject.withStore { store in
            try await store.federations.probe()
            try await store.federations.probe()
        }
    }
}
