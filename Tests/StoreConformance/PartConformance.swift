import Federation
import Testing

/// The promises of every store about rounds that several workers add up.
package enum PartConformance {
    package static let checks = [
        ConformanceCheck("a part has one result, of the round that is shared", results),
        ConformanceCheck("what is shared goes with the step that ends the round", ends),
        ConformanceCheck("only the holder of a round's aggregation shares it out", fences),
    ]

    /// A closed round of two clients, and the lease of its aggregation.
    private static func closed(in store: OpenStore) async throws -> (live: LiveFederation, lease: Lease) {
        let live = try await LiveFederation(creating: "digits", in: store)
        try await live.register("edge-1", "edge-2")
        try await live.send("one", from: "edge-1", round: 1)
        try await live.send("two", from: "edge-2", round: 1)
        let job = Job(.aggregation(round: 1), of: live.id)
        return (live, try #require(try await store.stores.jobs.take(job, seconds: 30)))
    }

    private static func cut(_ basis: String) throws -> SharedRound {
        let (one, two) = (try ClientName("edge-1"), try ClientName("edge-2"))
        return SharedRound(
            basis: Sample.digest(basis),
            parts: [RoundPart(index: 0, first: one, last: one), RoundPart(index: 1, first: two, last: two)])
    }

    private static func results(_ subject: StoreUnderTest) async throws {
        try await subject.withStore { store in
            let (live, holder) = try await closed(in: store)
            let (parts, jobs) = (store.stores.parts, store.stores.jobs)
            #expect(try await parts.sharedRound(1, of: live.id) == nil)
            let cut = try cut("a")
            let job = Job(.part(round: 1, index: 0), of: live.id)
            #expect(try await jobs.take(job, seconds: 30) == nil, "nothing is shared yet")
            #expect(try await parts.share(cut, under: holder) == cut)
            #expect(try await jobs.take(Job(.part(round: 1, index: 2), of: live.id), seconds: 30) == nil)
            let paused = try #require(try await jobs.take(job, seconds: 30))
            #expect(try await jobs.take(job, seconds: 30) == nil, "somebody has the part")
            let other = try #require(try await jobs.take(Job(.part(round: 1, index: 1), of: live.id), seconds: 30))
            store.advance(31)
            let successor = try #require(try await jobs.take(job, seconds: 30))
            try await live.publish("a sum")
            let sum = PartResult.sum(Sample.contentDigest("a sum"), byteCount: 5)
            await #expect(throws: StoreError.fenced) {
                try await parts.finish(successor, basis: Sample.digest("b"), with: .hopeless("of another round"))
            }
            let lost = PartResult.lost([try ClientName("edge-2"): "its file is gone"])
            try await parts.finish(other, basis: cut.basis, with: lost)
            try await parts.finish(successor, basis: cut.basis, with: sum)
            await #expect(throws: StoreError.fenced) {
                try await parts.finish(paused, basis: cut.basis, with: .hopeless("late"))
            }
            let found = try #require(try await parts.sharedRound(1, of: live.id))
            #expect(found == SharedRound(basis: cut.basis, parts: cut.parts, results: [0: sum, 1: lost]))
            #expect(found.open.isEmpty)
            #expect(try await jobs.take(job, seconds: 30) == nil, "it has a result")
            try await store.blobs.sweepBlobs()
            #expect(try live.blob("a sum") == "a sum")
        }
    }

    private static func ends(_ subject: StoreUnderTest) async throws {
        try await subject.withStore { store in
            let (live, holder) = try await closed(in: store)
            let (parts, jobs) = (store.stores.parts, store.stores.jobs)
            let cut = try cut("a")
            _ = try await parts.share(cut, under: holder)
            let lease = try #require(try await jobs.take(Job(.part(round: 1, index: 0), of: live.id), seconds: 30))
            try await live.publish("a sum")
            let sum = PartResult.sum(Sample.contentDigest("a sum"), byteCount: 5)
            try await parts.finish(lease, basis: cut.basis, with: sum)
            // A successor goes on with what is shared of the same updates, and begins anew with others.
            #expect(try await parts.share(cut, under: holder).results == [0: sum])
            let other = try Self.cut("b")
            #expect(try await parts.share(other, under: holder) == other)
            #expect(try await parts.sharedRound(1, of: live.id) == other)
            let again = try #require(try await jobs.take(Job(.part(round: 1, index: 0), of: live.id), seconds: 30))
            try await live.publish("a sum")
            try await parts.finish(again, basis: other.basis, with: sum)
            try await live.step(.aggregated(Sample.adapter("1"), round: 1), spending: holder)
            #expect(try await parts.sharedRound(1, of: live.id) == nil)
            #expect(try await jobs.take(Job(.part(round: 1, index: 1), of: live.id), seconds: 30) == nil)
            try await store.blobs.sweepBlobs()
            #expect(try live.blob("a sum") == nil)
        }
    }

    private static func fences(_ subject: StoreUnderTest) async throws {
        try await subject.withStore { store in
            let (live, paused) = try await closed(in: store)
            let parts = store.stores.parts
            store.advance(31)
            let job = Job(.aggregation(round: 1), of: live.id)
            let holder = try #require(try await store.stores.jobs.take(job, seconds: 30))
            let cut = try cut("a")
            await #expect(throws: StoreError.fenced) { try await parts.share(cut, under: paused) }
            _ = try await parts.share(cut, under: holder)
            await #expect(throws: StoreError.fenced) { try await parts.unshare(under: paused) }
            #expect(try await parts.sharedRound(1, of: live.id) == cut)
            try await parts.unshare(under: holder)
            #expect(try await parts.sharedRound(1, of: live.id) == nil)
        }
    }
}
