import Federation
import Testing

/// The parts of round policies that a store must keep.
package enum RoundPolicyConformance {
    package static let checks = [
        ConformanceCheck(
            "norms, ranks and what was left out are read back", `norms, ranks and what was left out are read back`),
        ConformanceCheck(
            "a lost update lets go of its blob, and another takes its place",
            `a lost update lets go of its blob, and another takes its place`),
        ConformanceCheck(
            "an asynchronous round's updates keep the rounds that they began in",
            `an asynchronous round's updates keep the rounds that they began in`),
        ConformanceCheck(
            "refusals keep their number, and replacements move a round's target",
            `refusals keep their number, and replacements move a round's target`),
    ]

    static func `norms, ranks and what was left out are read back`(_ subject: StoreUnderTest) async throws {
        try await subject.withStore { store in
            let live = try await LiveFederation(creating: "digits", in: store) {
                $0.limits.normOverMedian = 2
                $0.policy.minimumCoverage = 1
            }
            try await live.register("edge-1", "edge-2", "edge-3")
            for (name, norm) in [("edge-1", 1.5), ("edge-2", 0.1), ("edge-3", 0.2)] {
                let update = Update(
                    client: try ClientName(name), digest: Sample.contentDigest(name), byteCount: name.utf8.count,
                    rank: 60,
                    samples: 3, metrics: Metrics(), receivedAt: Sample.createdAt,
                    ranks: name == "edge-3" ? ["fc1": 60, "conv/ß": 7, "words": 60] : nil, norm: norm)
                try await live.publish(name)
                try await live.step(.update(update, round: 1))
            }
            #expect(live.machine.round?.phase == .aggregating)
            #expect(live.machine.round?.acceptedCount == 2)
            expectEqual(try await LiveFederation(loadedFrom: store).machine, live.machine)
        }
    }

    static func `a lost update lets go of its blob, and another takes its place`(_ subject: StoreUnderTest) async throws
    {
        try await subject.withStore { store in
            let live = try await LiveFederation(creating: "digits", in: store)
            try await live.register("edge-1", "edge-2")
            try await live.send("one", from: "edge-1", round: 1)
            try await live.send("two", from: "edge-2", round: 1)
            try await live.step(.lost([try ClientName("edge-1"): "its file is gone"], round: 1))
            try await store.blobs.sweepBlobs()
            #expect(try live.blob("one") == nil)
            #expect(try live.blob("two") == "two")
            expectEqual(try await LiveFederation(loadedFrom: store).machine, live.machine)
            try await live.send("new", from: "edge-1", round: 1)
            try await store.blobs.sweepBlobs()
            #expect(try live.blob("new") == "new")
            #expect(live.machine.round?.phase == .aggregating)
            expectEqual(try await LiveFederation(loadedFrom: store).machine, live.machine)
        }
    }

    static func `an asynchronous round's updates keep the rounds that they began in`(_ subject: StoreUnderTest)
        async throws
    {
        try await subject.withStore { store in
            let live = try await LiveFederation(creating: "digits", in: store) {
                $0.policy.minimumUpdates = 1
                $0.policy.buffer = .init(size: 2, stalenessExponent: 0.25, maximumStaleness: 3)
            }
            try await live.register("edge-1", "edge-2", "edge-3")
            try await live.send("one", from: "edge-1", round: 1)
            try await live.send("two", from: "edge-2", round: 1)
            try await live.step(.aggregated(Sample.adapter("1"), round: 1))
            try await live.send("old", from: "edge-3", round: 1)
            #expect(live.machine.round?.updates[try ClientName("edge-3")]?.began == 1)
            expectEqual(try await LiveFederation(loadedFrom: store).machine, live.machine)
        }
    }

    static func `refusals keep their number, and replacements move a round's target`(_ subject: StoreUnderTest)
        async throws
    {
        try await subject.withStore { store in
            let live = try await LiveFederation(creating: "digits", in: store) {
                $0.policy.selection = .count(2)
                $0.policy.minimumClients = 4
                $0.policy.onMissedQuorum = .extend
            }
            try await live.register("edge-1", "edge-2", "edge-3", "edge-4")
            for _ in 0..<3 { try await live.step(.refused(Sample.refusal("edge-1", "update.shape"), round: 1)) }
            live.seconds = 601
            try await live.step(.tick(arrivals: []))
            #expect(live.machine.round?.refusals.map(\.count) == [3])
            #expect(live.machine.round?.targetUpdates == 2)
            #expect(live.machine.round?.participations.count == 4)
            expectEqual(try await LiveFederation(loadedFrom: store).machine, live.machine)
        }
    }
}
