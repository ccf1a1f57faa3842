import Federation
import Testing

/// The promises of every metadata store about steps of several servers.
package enum StepConformance {
    package static let checks = [
        ConformanceCheck("a step is decided on what is stored by then", stepsOnWhatIsStored),
        ConformanceCheck("steps that are taken at once all count", stepsAtOnce),
        ConformanceCheck("a step that changes nothing is not stored", stepsWithoutChanges),
        ConformanceCheck("how often a client changed its claims is kept until the round closes", changesOfClaims),
        ConformanceCheck("a step of a federation that is not there fails", stepsOfNobody),
        ConformanceCheck("whoever listens hears of every step", feed),
        ConformanceCheck("a step that spends a lease is stored once", spending),
        ConformanceCheck("a holder that was paused past its lease changes nothing", fence),
    ]

    private static func stepsOnWhatIsStored(_ subject: StoreUnderTest) async throws {
        try await subject.withStore { store in
            let live = try await LiveFederation(creating: "digits", in: store)
            let behind = try await LiveFederation(loadedFrom: store)
            try await live.register("edge-1")
            let other = try await behind.reply(
                to: .register(
                    name: try ClientName("edge-1"), rank: 3, token: Sample.digest("another token"),
                    capabilities: Sample.capabilities))
            #expect(throws: RegistrationError.nameTaken(try ClientName("edge-1"))) { try other.get() }
            expectEqual(behind.machine, live.machine)
            try await behind.register("edge-2")
            #expect(behind.machine.revision == live.machine.revision + 1)
            #expect(behind.machine.clients.count == 2)
            expectEqual(try await LiveFederation(loadedFrom: store).machine, behind.machine)
            // A read of its own returns the newest state.
            let read = try #require(try await store.metadata.federation(live.id))
            expectEqual(read.machine, behind.machine)
        }
    }

    private static func stepsAtOnce(_ subject: StoreUnderTest) async throws {
        try await subject.withStore { store in
            let first = try await LiveFederation(creating: "digits", in: store)
            let revision = first.machine.revision
            try await withThrowingTaskGroup(of: Void.self) { group in
                for server in 0..<4 {
                    group.addTask {
                        let live = try await LiveFederation(loadedFrom: store)
                        for client in 0..<5 { try await live.register("edge-\(server)-\(client)") }
                    }
                }
                try await group.waitForAll()
            }
            let found = try await LiveFederation(loadedFrom: store).machine
            #expect(found.clients.count == 20)
            #expect(found.revision == revision + 20)
            let events = try await store.metadata.events(after: 0, limit: 1000, of: first.id)
            #expect(events.count { $0.event.kind == "client.registered" } == 20)
        }
    }

    private static func stepsWithoutChanges(_ subject: StoreUnderTest) async throws {
        try await subject.withStore { store in
            let live = try await LiveFederation(creating: "digits", in: store)
            let steps = store.stores.steps.steps()
            let before = live.machine
            try await live.step(.tick(arrivals: []))
            expectEqual(live.machine, before)
            expectEqual(try await LiveFederation(loadedFrom: store).machine, before)
            try await live.register("edge-1")
            try store.close()
            #expect(await all(of: steps) == [StoredStep(federation: live.id, revision: before.revision + 1)])
        }
    }

    private static func changesOfClaims(_ subject: StoreUnderTest) async throws {
        let name = try ClientName("edge-1")
        @Sendable func change(_ live: LiveFederation, to rank: Int) async throws {
            try await live.step(
                .register(
                    name: name, rank: rank, token: Sample.digest("token of \(name)"), capabilities: Sample.capabilities)
            )
        }
        try await subject.withRuns([
            { store in
                let live = try await LiveFederation(creating: "digits", in: store)
                try await live.register("edge-1", "edge-2")
                for rank in 1...11 { try await change(live, to: rank) }
                #expect(live.machine.clientChanges == [name: 11])
            },
            { store in
                let here = try await LiveFederation(loadedFrom: store)
                #expect(here.machine.clientChanges == [name: 11])
                let there = try await LiveFederation(loadedFrom: store)
                try await change(there, to: 12)
                // The other server's copy catches up within its next step.
                try await change(here, to: 13)
                #expect(here.machine.clientChanges == [name: 13])
                for client in ["edge-1", "edge-2"] { try await here.send(client, from: client, round: 1) }
                let counted = try await store.metadata.events(after: 0, limit: 100, of: here.id).map(\.event)
                #expect(counted.count { $0.kind == "client.changed" } == 10)
                #expect(
                    counted.filter { $0.kind == "client.changes" }.map(\.detail)
                        == ["changed, part 1 of 1: edge-1 13 times, rank 13"])
                try await there.register("edge-3")
                #expect(there.machine.clientChanges == [:])
            },
            { store in
                let live = try await LiveFederation(loadedFrom: store)
                #expect(live.machine.clientChanges == [:])
            },
        ])
    }

    private static func stepsOfNobody(_ subject: StoreUnderTest) async throws {
        try await subject.withStore { store in
            let live = try await LiveFederation(creating: "digits", in: store)
            try await store.metadata.discard(live.id)
            await #expect(throws: StoreError.self) { try await live.register("edge-1") }
            #expect(try await store.metadata.federation(live.id) == nil)
        }
    }

    private static func feed(_ subject: StoreUnderTest) async throws {
        try await subject.withStore { store in
            let live = try await LiveFederation(creating: "digits", in: store)
            let other = try await LiveFederation(creating: "other", in: store)
            let listeners = [store.stores.steps.steps(), store.stores.steps.steps()]
            try await live.register("edge-1")
            try await other.register("edge-1")
            try await live.register("edge-2")
            let last = StoredStep(federation: live.id, revision: live.machine.revision)
            let ofOther = StoredStep(federation: other.id, revision: other.machine.revision)
            // Closing ends the feeds, so a missing step is an issue and does not block the test.
            try store.close()
            for listener in listeners {
                let heard = await all(of: listener)
                #expect(heard.contains(last) && heard.contains(ofOther), "\(heard)")
                let revisions = heard.filter { $0.federation == live.id }.map(\.revision)
                #expect(revisions == revisions.sorted())
            }
        }
    }

    private static func spending(_ subject: StoreUnderTest) async throws {
        try await subject.withStore { store in
            let live = try await LiveFederation(creating: "digits", in: store)
            try await live.register("edge-1", "edge-2")
            let job = Job(.aggregation(round: 1), of: live.id)
            for name in ["edge-1", "edge-2"] { try await live.send(name, from: name, round: 1) }
            let lease = try #require(try await store.stores.jobs.take(job, seconds: 30))
            try await live.step(.aggregated(Sample.adapter("1"), round: 1), spending: lease)
            #expect(live.machine.publishedRound == 1)
            let done = live.machine
            await #expect(throws: StoreError.fenced) {
                try await live.step(.aggregationFailed(reason: "again", round: 2), spending: lease)
            }
            expectEqual(try await LiveFederation(loadedFrom: store).machine, done)
            #expect(try await store.stores.jobs.renew(lease, seconds: 30) == false)
        }
    }

    private static func fence(_ subject: StoreUnderTest) async throws {
        try await subject.withStore { store in
            let live = try await LiveFederation(creating: "digits", in: store)
            try await live.register("edge-1", "edge-2")
            for name in ["edge-1", "edge-2"] { try await live.send(name, from: name, round: 1) }
            let job = Job(.aggregation(round: 1), of: live.id)
            let jobs = store.stores.jobs
            let paused = try #require(try await jobs.take(job, seconds: 30))
            store.advance(31)
            let successor = try #require(try await jobs.take(job, seconds: 30))
            #expect(successor.fence > paused.fence)
            #expect(try await jobs.renew(paused, seconds: 30) == false)
            let address = AdapterAddress(federation: live.id, round: 1, slot: .adapter)
            try store.adapters.append([Sample.part("fc1", .a, rows: 0..<2)], to: address, under: successor)
            #expect(throws: StoreError.fenced) {
                try store.adapters.append([Sample.part("fc1", .a, rows: 2..<3)], to: address, under: paused)
            }
            #expect(throws: StoreError.fenced) {
                try store.adapters.remove(.adapter, ofRounds: 1...1, in: live.id, under: paused)
            }
            #expect(try store.adapters.rowCount(of: AdapterTensor(name: "fc1", kind: .a), at: address) == 2)
            let before = live.machine
            await #expect(throws: StoreError.fenced) {
                try await live.step(.aggregated(Sample.adapter("the paused one's"), round: 1), spending: paused)
            }
            expectEqual(try await LiveFederation(loadedFrom: store).machine, before)
            try await live.step(.aggregated(Sample.adapter("the successor's"), round: 1), spending: successor)
            let round = try #require(try await store.metadata.round(1, of: live.id))
            #expect(round.phase == .published(Sample.adapter("the successor's")))
            #expect(throws: StoreError.fenced) {
                try store.adapters.foldMerges(through: 1, of: live.id, under: paused)
            }
        }
    }

    private static func all(of steps: AsyncStream<StoredStep>) async -> [StoredStep] {
        var heard: [StoredStep] = []
        for await step in steps { heard.append(step) }
        return heard
    }
}
