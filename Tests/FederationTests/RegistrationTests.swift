import Federation
import Testing

@Suite struct RegistrationTests {
    @Test func `changes beyond the tenth of a round are counted at its close, and are no events`() throws {
        var subject = try MachineUnderTest()
        try subject.register("a", "b", "c")
        for change in 1...25 {
            try subject.apply(.registration("a", rank: 1 + change % 2))
            #expect(subject.events == (change <= 10 ? ["client.changed"] : []))
        }
        #expect(subject.machine.clients[try ClientName("a")]?.rank == 2)
        try subject.send("a", "b", "c", round: 1)
        #expect(subject.details("client.changes") == ["changed, part 1 of 1: a 25 times, rank 2"])
        try subject.apply(.aggregation(of: 1))
        try subject.apply(.registration("a", rank: 1))
        #expect(subject.events == ["client.changed"])
    }

    @Test func `a new client is registered at its rank`() throws {
        var subject = try MachineUnderTest()
        let registration = try #require(try subject.register("a")[0].registration)
        #expect(registration.isNew)
        let client = registration.client
        #expect(client.rank == 8)
        #expect(client.registeredAt == subject.now)
        #expect(subject.machine.clients == [try ClientName("a"): client])
        #expect(subject.events == ["client.registered"])
    }

    @Test func `a rank above the federation's is granted up to it`() throws {
        var subject = try MachineUnderTest()
        try subject.apply(.registration("a", rank: 61))
        #expect(subject.machine.clients.values.map(\.rank) == [60])
    }

    @Test(arguments: [0, -1, .min])
    func `a rank below one is refused`(_ rank: Int) throws {
        var subject = try MachineUnderTest()
        let reply = try subject.apply(.registration("a", rank: rank))[0]
        #expect(reply.registrationError == .badRank(found: rank))
        #expect(subject.machine.clients.isEmpty)
        #expect(subject.changes.isEmpty)
    }

    @Test func `registering again with the same token changes nothing`() throws {
        var subject = try MachineUnderTest()
        try subject.register("a")
        let revision = subject.machine.revision
        #expect(try subject.register("a")[0].registration?.isNew == false)
        #expect(subject.changes.isEmpty)
        #expect(subject.machine.revision == revision)
    }

    @Test func `registering again with another rank or other capabilities changes them`() throws {
        var subject = try MachineUnderTest()
        try subject.register("a")
        subject.seconds = 4
        try subject.apply(.registration("a", rank: 99, capabilities: #"{"gpu":true}"#))
        let client = try #require(subject.machine.clients[try ClientName("a")])
        #expect(client.rank == 60)
        #expect(client.capabilities.text == #"{"gpu":true}"#)
        #expect(client.lastSeenAt == subject.now)
        #expect(subject.events == ["client.changed"])
    }

    @Test func `a name is taken by the client that has its token`() throws {
        var subject = try MachineUnderTest()
        try subject.register("a")
        let reply = try subject.apply(.registration("a", rank: 9, token: 2))[0]
        #expect(reply.registrationError == .nameTaken(try ClientName("a")))
        #expect(subject.machine.clients.values.map(\.rank) == [8])
        #expect(subject.changes.isEmpty)
    }

    @Test func `a revoked client cannot come back, and its name stays taken`() throws {
        var subject = try MachineUnderTest()
        try subject.register("a")
        try subject.apply(.revoke(try ClientName("a")))
        #expect(subject.events == ["client.revoked"])
        #expect(try subject.register("a")[0].registrationError == .revoked(try ClientName("a")))
        let stranger = try subject.apply(.registration("a", token: 2))[0]
        #expect(stranger.registrationError == .nameTaken(try ClientName("a")))
    }

    @Test func `revoking twice is done once, and revoking nobody is refused`() throws {
        var subject = try MachineUnderTest()
        try subject.register("a")
        subject.seconds = 1
        try subject.apply(.revoke(try ClientName("a")))
        let revokedAt = subject.now
        subject.seconds = 2
        #expect(try subject.apply(.revoke(try ClientName("a")))[0].isDone)
        #expect(subject.changes.isEmpty)
        #expect(subject.machine.clients.values.map(\.revokedAt) == [revokedAt])
        let reply = try subject.apply(.revoke(try ClientName("z")))[0]
        #expect(throws: UnknownClient(client: try ClientName("z"))) { try reply.get() }
    }

    @Test func `a full federation takes nobody until somebody is revoked`() throws {
        var subject = try MachineUnderTest { $0.limits.clients = 2 }
        try subject.register("a", "b")
        #expect(try subject.register("c")[0].registrationError == .full(limit: 2))
        try subject.apply(.revoke(try ClientName("a")))
        #expect(try subject.register("c")[0].registrationError == nil)
    }

    @Test func `a finished federation takes nobody new, but knows its clients`() throws {
        var subject = try MachineUnderTest()
        try subject.register("a")
        try subject.apply(.setState(.finished))
        #expect(try subject.register("b")[0].registrationError == .finished)
        #expect(try subject.register("a")[0].registrationError == nil)
    }

    @Test func `an update of the rank that a plan of the round named still counts when the client lowers its rank`()
        throws
    {
        var subject = try MachineUnderTest()
        try subject.register("a", "b")
        let a = try ClientName("a")
        func granted() throws -> Int { subject.machine.grantedRank(of: try #require(subject.machine.clients[a])) }
        #expect(try granted() == 8)
        for rank in [7, 5, 6] {
            try subject.apply(.registration("a", rank: rank))
            #expect(try granted() == 8)
            #expect(subject.machine.clients[a]?.rank == rank)
        }
        try subject.apply(.registration("a", rank: 9))
        #expect(try granted() == 9)
        try subject.apply(.registration("a", rank: 6))
        #expect(try granted() == 9)
        try subject.send("a", "b", round: 1)
        try subject.apply(.aggregation(of: 1))
        #expect(subject.round?.number == 2)
        #expect(try granted() == 6)
    }
}
