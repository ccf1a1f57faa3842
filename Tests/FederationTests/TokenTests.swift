import Federation
import Testing

/// Tokens that the server issued, as they are spent, expire and are withdrawn.
@Suite struct TokenTests {
    private func token(
        _ id: String, _ role: IssuedToken.Role = .enrolment, uses: Int? = nil, until expiresAt: Timestamp? = nil
    ) throws -> IssuedToken {
        IssuedToken(
            id: id, role: role, hash: try .repeating(3), createdAt: Timestamp(milliseconds: 0), expiresAt: expiresAt,
            usesLeft: uses)
    }

    private func registration(_ name: String, by enrolment: String, token: UInt8 = 1, rank: Int = 8) throws
        -> FederationMachine.Event<FederationMachine.Registration, RegistrationError>
    {
        .register(
            name: try ClientName(name), rank: rank, token: try .repeating(token),
            capabilities: Capabilities(text: "{}"),
            enrolment: enrolment)
    }

    @Test func `a token of one use registers one client, also in one step with another`() throws {
        var subject = try MachineUnderTest()
        try subject.apply(.issue(token("one", uses: 1)))
        #expect(subject.events == ["token.issued"])
        let replies = try subject.apply(registration("a", by: "one"), registration("b", by: "one"))
        #expect(replies.map(\.registrationError) == [nil, .tokenSpent])
        #expect(subject.machine.clients.keys.map(\.rawValue) == ["a"])
        #expect(subject.machine.tokens["one"]?.usesLeft == 0)
        #expect(subject.events == ["client.registered", "token.used"])
    }

    @Test func `a client that registers again takes no use, be the token spent or withdrawn`() throws {
        var subject = try MachineUnderTest()
        try subject.apply(.issue(token("two", uses: 2)))
        for rank in [8, 8, 9] { try subject.apply(registration("a", by: "two", rank: rank)) }
        #expect(subject.machine.tokens["two"]?.usesLeft == 1)
        try subject.apply(registration("b", by: "two"))
        #expect(try subject.apply(registration("b", by: "two"))[0].registrationError == nil)
        try subject.apply(.withdraw("two"))
        #expect(try subject.apply(registration("a", by: "two"))[0].registrationError == nil)
        #expect(try subject.apply(registration("c", by: "two"))[0].registrationError == .tokenWithdrawn)
    }

    @Test func `a registration that is refused takes no use`() throws {
        var subject = try MachineUnderTest { $0.limits.clients = 2 }
        try subject.apply(.issue(token("one", uses: 1)))
        try subject.apply(.registration("a"), .registration("x"))
        #expect(try subject.apply(registration("b", by: "one", rank: 0))[0].registrationError == .badRank(found: 0))
        #expect(try subject.apply(registration("b", by: "one"))[0].registrationError == .full(limit: 2))
        #expect(
            try subject.apply(registration("a", by: "one", token: 2))[0].registrationError
                == .nameTaken(try ClientName("a")))
        #expect(subject.machine.tokens["one"]?.usesLeft == 1)
    }

    @Test func `a token that expires, is none or is a reader's registers nobody`() throws {
        var subject = try MachineUnderTest()
        try subject.apply(.issue(token("late", until: subject.now.adding(seconds: 5))), .issue(token("r", .reader)))
        #expect(try subject.apply(registration("a", by: "late"))[0].registrationError == nil)
        subject.seconds = 5
        for id in ["late", "r", "none"] {
            #expect(try subject.apply(registration("b", by: id))[0].registrationError == .tokenWithdrawn)
        }
        #expect(subject.machine.clients.count == 1)
    }

    @Test func `tokens are counted, and what is unknown cannot be withdrawn`() throws {
        var subject = try MachineUnderTest()
        let limit = FederationMachine.tokenLimit
        for index in 0..<limit { try subject.apply(.issue(token("\(index)"))) }
        #expect(try subject.apply(.issue(token("more")))[0].tokenError == .full(limit: limit))
        #expect(try subject.apply(.withdraw("more"))[0].tokenError == .unknown(id: "more"))
        #expect(try subject.apply(.withdraw("7"))[0].isDone)
        #expect(try subject.apply(.issue(token("more")))[0].isDone)
    }
}
