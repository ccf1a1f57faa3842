import Federation
import Foundation
import Testing

/// The promises of every blob store.
package enum BlobConformance {
    package static let checks = [
        ConformanceCheck(
            "a withdrawn blob stays where somebody else has published or recorded it",
            `a withdrawn blob stays where somebody else has published or recorded it`),
        ConformanceCheck("a withdrawn blob goes, and its file is back", `a withdrawn blob goes, and its file is back`),
        ConformanceCheck(
            "a published blob stays for its grace, and goes after it",
            `a published blob stays for its grace, and goes after it`),
        ConformanceCheck(
            "an accepted update's bytes move from the spool to its blob and stay until its round is published",
            `an accepted update's bytes move from the spool to its blob and stay until its round is published`),
        ConformanceCheck(
            "bytes that two federations sent stay while either needs them",
            `bytes that two federations sent stay while either needs them`),
        ConformanceCheck(
            "two clients may send the same bytes in one step and in one round",
            `two clients may send the same bytes in one step and in one round`),
        ConformanceCheck(
            "sweeping while the same bytes are sent again and again never takes bytes that count",
            `sweeping while the same bytes are sent again and again never takes bytes that count`),
        ConformanceCheck(
            "an update whose bytes were not published is not stored",
            `an update whose bytes were not published is not stored`),
        ConformanceCheck(
            "spool files are distinct and can be discarded, even twice",
            `spool files are distinct and can be discarded, even twice`),
    ]

    static func `an accepted update's bytes move from the spool to its blob and stay until its round is published`(
        _ subject: StoreUnderTest
    ) async throws {
        try await subject.withRestart { store in
            let live = try await LiveFederation(creating: "digits", in: store)
            try await live.register("edge-1", "edge-2")
            let spool = try live.spool("one")
            let update = Sample.update(try ClientName("edge-1"), "one")
            try await store.blobs.publish(spool, as: update.digest)
            try await live.step(.update(update, round: 1))
            #expect(!FileManager.default.fileExists(atPath: spool.path))
            try await store.blobs.sweepBlobs()
            #expect(try live.blob("one") == "one")
        } then: { store in
            let live = try await LiveFederation(loadedFrom: store)
            #expect(try live.blob("one") == "one")
            try await live.send("two", from: "edge-2", round: 1)
            #expect(live.machine.round?.phase == .aggregating)
            try await store.blobs.sweepBlobs()
            #expect(try live.blob("one") == "one")
            try await live.step(.aggregated(Sample.adapter("1"), round: 1))
            try await store.blobs.sweepBlobs()
            #expect(try live.blob("one") == nil)
            #expect(try live.blob("two") == nil)
            #expect(live.machine.round?.number == 2)
        }
    }

    static func `bytes that two federations sent stay while either needs them`(_ subject: StoreUnderTest) async throws {
        try await subject.withStore { store in
            let first = try await LiveFederation(creating: "first", in: store)
            let second = try await LiveFederation(creating: "second", in: store)
            for live in [first, second] {
                try await live.register("edge-1", "edge-2")
                try await live.send("same", from: "edge-1", round: 1)
            }
            try await first.step(.aggregationFailed(reason: "test", round: 1))
            try await store.blobs.sweepBlobs()
            #expect(try first.blob("same") == "same")
            try await second.step(.aggregationFailed(reason: "test", round: 1))
            try await store.blobs.sweepBlobs()
            #expect(try first.blob("same") == nil)
        }
    }

    static func `two clients may send the same bytes in one step and in one round`(_ subject: StoreUnderTest)
        async throws
    {
        try await subject.withStore { store in
            let live = try await LiveFederation(creating: "digits", in: store)
            try await live.register("edge-1", "edge-2", "edge-3")
            for _ in 1...2 { try await live.publish("same") }
            try await live.steps { machine, step in
                for name in ["edge-1", "edge-2"] {
                    _ = machine.handle(
                        .update(Sample.update(try ClientName(name), "same"), round: 1), in: &step)
                }
            }
            #expect(try live.blob("same") == "same")
            try await store.blobs.sweepBlobs()
            #expect(try live.blob("same") == "same")
            let round = try #require(try await store.metadata.round(1, of: live.id))
            #expect(round.updates.values.map(\.digest) == [Sample.contentDigest("same"), Sample.contentDigest("same")])
        }
    }

    static func `sweeping while the same bytes are sent again and again never takes bytes that count`(
        _ subject: StoreUnderTest
    ) async throws {
        try await subject.withStore { store in
            let live = try await LiveFederation(creating: "digits", in: store)
            try await live.register("edge-1", "edge-2")
            var policy = live.machine.settings.policy
            policy.total = 1000
            try await live.step(.setPolicy(policy))
            let blobs = store.blobs
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { while !Task.isCancelled { try await blobs.sweepBlobs() } }
                for round in 1...200 {
                    try await live.send("same", from: "edge-1", round: round)
                    #expect(try live.blob("same") == "same", "round \(round)")
                    try await live.step(.aggregationFailed(reason: "test", round: round))
                }
                group.cancelAll()
                try await group.waitForAll()
            }
            try await blobs.sweepBlobs()
            #expect(try live.blob("same") == nil)
        }
    }

    static func `an update whose bytes were not published is not stored`(_ subject: StoreUnderTest) async throws {
        try await subject.withStore { store in
            let live = try await LiveFederation(creating: "digits", in: store)
            try await live.register("edge-1", "edge-2")
            let update = Sample.update(try ClientName("edge-1"), "one")
            let missing = store.blobs.stage()
            await #expect(throws: StoreError.self) { try await store.blobs.publish(missing, as: update.digest) }
            await #expect(throws: StoreError.self) { try await live.step(.update(update, round: 1)) }
            let found = try await LiveFederation(loadedFrom: store)
            expectEqual(found.machine, live.machine)
            #expect(found.machine.round?.updates.isEmpty == true)
        }
    }

    static func `spool files are distinct and can be discarded, even twice`(_ subject: StoreUnderTest) async throws {
        try await subject.withStore { store in
            let live = try await LiveFederation(creating: "digits", in: store)
            let first = try live.spool("first")
            let second = try live.spool("second")
            #expect(first != second)
            await store.blobs.discard(first)
            await store.blobs.discard(first)
            #expect(!FileManager.default.fileExists(atPath: first.path))
            #expect(FileManager.default.fileExists(atPath: second.path))
        }
    }

    static func `a published blob stays for its grace, and goes after it`(_ subject: StoreUnderTest) async throws {
        try await subject.withStore { store in
            let live = try await LiveFederation(creating: "digits", in: store)
            try await live.register("edge-1", "edge-2")
            try await live.publish("one")
            try await live.publish("two")
            try await store.blobs.sweepBlobs()
            #expect(try live.blob("one") == "one", "its step may still come")
            try await live.step(.update(Sample.update(try ClientName("edge-1"), "one"), round: 1))
            store.advance(172_800)
            try await store.blobs.sweepBlobs()
            #expect(try live.blob("one") == "one", "a record refers to it")
            #expect(try live.blob("two") == nil)
            let late = Sample.update(try ClientName("edge-2"), "two")
            await #expect(throws: StoreError.self) { try await live.step(.update(late, round: 1)) }
        }
    }

    static func `a withdrawn blob goes, and its file is back`(_ subject: StoreUnderTest) async throws {
        try await subject.withStore { store in
            let live = try await LiveFederation(creating: "digits", in: store)
            let spool = try live.spool("one")
            let digest = Sample.contentDigest("one")
            try await store.blobs.publish(spool, as: digest)
            await store.blobs.withdraw(digest, backTo: spool)
            #expect(FileManager.default.contents(atPath: spool.path) == Data("one".utf8))
            #expect(try live.blob("one") == nil)
            try await store.blobs.publish(spool, as: digest)
            #expect(try live.blob("one") == "one")
            await store.blobs.withdraw(digest, backTo: nil)
            #expect(try live.blob("one") == nil)
        }
    }

    static func `a withdrawn blob stays where somebody else has published or recorded it`(
        _ subject: StoreUnderTest
    ) async throws {
        try await subject.withStore { store in
            let live = try await LiveFederation(creating: "digits", in: store)
            try await live.register("edge-1", "edge-2")
            for _ in 1...3 { try await live.publish("same") }
            await store.blobs.withdraw(Sample.contentDigest("same"), backTo: nil)
            #expect(try live.blob("same") == "same")
            try await live.step(.update(Sample.update(try ClientName("edge-1"), "same"), round: 1))
            await store.blobs.withdraw(Sample.contentDigest("same"), backTo: nil)
            try await store.blobs.sweepBlobs()
            #expect(try live.blob("same") == "same")
        }
    }
}
