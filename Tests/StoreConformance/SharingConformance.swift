import Federation
import Testing

/// The promises of every store about jobs, presence, credentials and data that clients send in advance.
package enum SharingConformance {
    package static let checks = [
        ConformanceCheck("a job has one holder at a time", jobs),
        ConformanceCheck("all who ask for a federation's presence share one view", presence),
        ConformanceCheck("a token's holder is found from its step on, until it is withdrawn", credentials),
        ConformanceCheck("a template and a configuration are read back until they are dropped", documents),
    ]

    private static func jobs(_ subject: StoreUnderTest) async throws {
        try await subject.withStore { store in
            let live = try await LiveFederation(creating: "digits", in: store)
            let jobs = store.stores.jobs
            let job = Job(.folding, of: live.id)
            let first = try #require(try await jobs.take(job, seconds: 30))
            #expect(try await jobs.take(job, seconds: 30) == nil)
            #expect(try await jobs.take(Job(.aggregation(round: 1), of: live.id), seconds: 30) != nil)
            store.advance(20)
            #expect(try await jobs.renew(first, seconds: 30))
            store.advance(20)
            #expect(try await jobs.take(job, seconds: 30) == nil, "it was renewed")
            try await jobs.giveUp(first)
            let second = try #require(try await jobs.take(job, seconds: 30))
            #expect(second.fence > first.fence)
            try await jobs.giveUp(first)
            #expect(try await jobs.take(job, seconds: 30) == nil, "the first has nothing to give up any more")
            store.advance(31)
            #expect(try await jobs.take(job, seconds: 30) != nil)
        }
    }

    private static func presence(_ subject: StoreUnderTest) async throws {
        try await subject.withStore { store in
            let live = try await LiveFederation(creating: "digits", in: store)
            let (one, two) = (try ClientName("edge-1"), try ClientName("edge-2"))
            let (here, there) = (
                store.stores.presence.presence(of: live.id), store.stores.presence.presence(of: live.id)
            )
            let now = Sample.createdAt
            here.touch(one, at: now)
            there.presume([one, two], seenAt: now.adding(seconds: 9))
            #expect(there.lastSeen(one) == now, "it is known when that one called")
            #expect(here.lastSeen(two) == now.adding(seconds: 9))
            there.leave(two)
            #expect(here.snapshot.filter(\.value.isAbsent).map(\.key) == [two])
            here.touch(two, at: now.adding(seconds: 10))
            #expect(there.snapshot == [one: Seen(at: now), two: Seen(at: now.adding(seconds: 10))])
            let other = store.stores.presence.presence(of: try FederationID("other"))
            #expect(other.snapshot.isEmpty)
            store.stores.presence.forgetPresence(of: live.id)
            #expect(store.stores.presence.presence(of: live.id).lastSeen(one) == nil)
        }
    }

    private static func credentials(_ subject: StoreUnderTest) async throws {
        try await subject.withStore { store in
            let live = try await LiveFederation(creating: "digits", in: store)
            let credentials = store.stores.credentials
            func holder(_ token: String) async throws -> CredentialHolder? {
                try await credentials.holder(ofTokenWithHash: Sample.digest(token))
            }
            #expect(try await holder("token of edge-1") == nil)
            try await live.register("edge-1")
            let name = try ClientName("edge-1")
            #expect(try await holder("token of edge-1") == .client(live.id, name, isRevoked: false))
            try await live.step(.revoke(name))
            #expect(try await holder("token of edge-1") == .client(live.id, name, isRevoked: true))
            let reader = try #require(live.machine.tokens["r1"])
            #expect(try await holder("r1") == .issued(live.id, reader))
            try await live.step(.withdraw("r1"))
            #expect(try await holder("r1") == nil)
            _ = try await store.metadata.delete(live.id, releasing: true, at: Sample.createdAt)
            #expect(try await holder("token of edge-1") == nil)
            #expect(try await holder("e1") == nil)
        }
    }

    private static func documents(_ subject: StoreUnderTest) async throws {
        try await subject.withRestart { store in
            let live = try await LiveFederation(creating: "digits", in: store)
            let templates = store.stores.templates
            #expect(try await templates.template(of: live.id) == StoredTemplate())
            try await live.publish("a template")
            let digest = Sample.contentDigest("a template")
            try await templates.keepTemplate(digest, byteCount: 10, of: live.id)
            try await templates.keepTemplateConfiguration("{}", of: live.id)
            try await store.stores.configurations.keepConfiguration(
                "[]", of: try ClientName("edge-1"), round: 1, in: live.id)
        } then: { store in
            let live = try await LiveFederation(loadedFrom: store)
            let kept = StoredTemplate(
                digest: Sample.contentDigest("a template"), byteCount: 10, configuration: "{}")
            #expect(try await store.stores.templates.template(of: live.id) == kept)
            try await store.blobs.sweepBlobs()
            #expect(try live.blob("a template") == "a template")
            try await store.stores.templates.dropTemplate(of: live.id)
            try await store.blobs.sweepBlobs()
            #expect(try live.blob("a template") == nil)
            #expect(try await store.stores.templates.template(of: live.id) == StoredTemplate())
            let name = try ClientName("edge-1")
            let configurations = store.stores.configurations
            #expect(try await configurations.configuration(of: name, round: 1, in: live.id) == "[]")
            #expect(try await configurations.configuration(of: name, round: 2, in: live.id) == nil)
        }
    }
}
