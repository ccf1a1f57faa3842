import Federation
import Foundation
import Testing

/// What every federation store promises of the files of updates.
@Suite struct BlobConformance {
    @Test(arguments: StoreUnderTest.all)
    func `an accepted update's bytes move from the spool to its blob and stay until its round is published`(
        _ subject: StoreUnderTest
    ) async throws {
        try await subject.withRestart { store in
            let live = try await LiveFederation(creating: "digits", in: store.federations)
            try await live.register("edge-1", "edge-2")
            let spool = try live.spool("one")
            let update = Sample.update(try ClientName("edge-1"), "one")
            try await live.step(.update(update, round: 1, spool: spool))
            #expect(!FileManager.default.fileExists(atPath: spool.path))
            try await store.federations.sweepBlobs()
            #expect(live.blob("one") == "one")
        } then: { store in
            let live = try await LiveFederation(loadedFrom: store.federations)
            #expect(live.blob("one") == "one")
            try await live.send("two", from: "edge-2", round: 1)
            #expect(live.machine.round?.phase == .aggregating)
            try await store.federations.sweepBlobs()
            #expect(live.blob("one") == "one")
            try await live.step(.aggregated(Sample.adapter("1"), round: 1))
            try await store.federations.sweepBlobs()
            #expect(live.blob("one") == nil)
            #expect(live.blob("two") == nil)
            #expect(live.machine.round?.number == 2)
        }
    }

    @Test(arguments: StoreUnderTest.all)
    func `bytes that two federations sent stay while either needs them`(_ subject: StoreUnderTest) async throws {
        try await subject.withStore { store in
            let first = try await LiveFederation(creating: "first", in: store.federations)
            let second = try await LiveFederation(creating: "second", in: store.federations)
            for live in [first, second] {
                try await live.register("edge-1", "edge-2")
                try await live.send("same", from: "edge-1", round: 1)
            }
            try await first.step(.aggregationFailed(reason: "test", round: 1))
            try await store.federations.sweepBlobs()
            #expect(first.blob("same") == "same")
            try await second.step(.aggregationFailed(reason: "test", round: 1))
            try await store.federations.sweepBlobs()
            #expect(first.blob("same") == nil)
        }
    }

    @Test(arguments: StoreUnderTest.all)
    func `two clients may send the same bytes in one step and in one round`(_ subject: StoreUnderTest) async throws {
        try await subject.withStore { store in
            let live = try await LiveFederation(creating: "digits", in: store.federations)
            try await live.register("edge-1", "edge-2", "edge-3")
            try await live.step(
                .update(Sample.update(try ClientName("edge-1"), "same"), round: 1, spool: live.spool("same")),
                .update(Sample.update(try ClientName("edge-2"), "same"), round: 1, spool: live.spool("same")))
            #expect(live.blob("same") == "same")
            try await store.federations.sweepBlobs()
            #expect(live.blob("same") == "same")
            let round = try #require(try await store.federations.round(1, of: live.id))
            #expect(round.updates.values.map(\.digest) == [Sample.digest("same"), Sample.digest("same")])
        }
    }

    @Test(arguments: StoreUnderTest.all)
    func `sweeping while the same bytes are sent again and again never takes bytes that count`(
        _ subject: StoreUnderTest
    ) async throws {
        try await subject.withStore { store in
            let live = try await LiveFederation(creating: "digits", in: store.federations)
            try await live.register("edge-1", "edge-2")
            var policy = live.machine.settings.policy
            policy.total = 1000
            try await live.step(.setPolicy(policy))
            let federations = store.federations
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { while !Task.isCancelled { try await federations.sweepBlobs() } }
                for round in 1...200 {
                    try await live.send("same", from: "edge-1", round: round)
                    #expect(live.blob("same") == "same", "round \(round)")
                    try await live.step(.aggregationFailed(reason: "test", round: round))
                }
                group.cancelAll()
                try await group.waitForAll()
            }
            try await federations.sweepBlobs()
            #expect(live.blob("same") == nil)
        }
    }

    @Test(arguments: StoreUnderTest.all)
    func `a restart deletes spool files and blobs without a record`(_ subject: StoreUnderTest) async throws {
        var orphan: String?
        var spool: SpoolFile?
        try await subject.withRestart { store in
            let live = try await LiveFederation(creating: "digits", in: store.federations)
            try await live.register("edge-1", "edge-2")
            try await live.send("kept", from: "edge-1", round: 1)
            spool = try live.spool("half an upl")
            let path = store.federations.blobPath(of: Sample.digest("orphan"))
            try Data("orphan".utf8).write(to: URL(fileURLWithPath: path))
            orphan = path
        } then: { store in
            for path in [try #require(spool).path, try #require(orphan)] {
                #expect(!FileManager.default.fileExists(atPath: path))
            }
            let live = try await LiveFederation(loadedFrom: store.federations)
            #expect(live.blob("kept") == "kept")
        }
    }

    @Test(arguments: StoreUnderTest.all)
    func `an update whose spool file is missing is not stored`(_ subject: StoreUnderTest) async throws {
        try await subject.withStore { store in
            let live = try await LiveFederation(creating: "digits", in: store.federations)
            try await live.register("edge-1", "edge-2")
            let update = Sample.update(try ClientName("edge-1"), "one")
            let missing = store.federations.makeSpoolFile()
            await #expect(throws: StoreError.self) {
                try await live.step(.update(update, round: 1, spool: missing))
            }
            let found = try await LiveFederation(loadedFrom: store.federations)
            expectEqual(found.machine, live.machine)
            #expect(found.machine.round?.updates.isEmpty == true)
        }
    }

    @Test(arguments: StoreUnderTest.all)
    func `spool files are distinct and can be discarded, even twice`(_ subject: StoreUnderTest) async throws {
        try await subject.withStore { store in
            let live = try await LiveFederation(creating: "digits", in: store.federations)
            let first = try live.spool("first")
            let second = try live.spool("second")
            #expect(first != second)
            await store.federations.discard(first)
            await store.federations.discard(first)
            #expect(!FileManager.default.fileExists(atPath: first.path))
            #expect(FileManager.default.fileExists(atPath: second.path))
        }
    }
}
