import Federation
import Testing

/// For how long clients that are not selected may stay away.
struct PaceTests {
    private func seconds(
        of clients: Int, servers: Int = 1, seen: Double = 7200, _ adjust: (inout RoundPolicy) -> Void = { _ in }
    ) throws -> Double? {
        var policy = try FederationSettings.sample().policy
        (policy.selection, policy.seenSeconds, policy.deadlineSeconds) = (.fraction(0.01), seen, 7200)
        adjust(&policy)
        return policy.comeBackSeconds(clients: clients, servers: servers)
    }

    @Test func `few clients wait on their connections, and many come back at a rate that servers can serve`() throws {
        #expect(try seconds(of: 5000) == nil)
        #expect(try seconds(of: 5001) == 5001 / 200)
        #expect(try seconds(of: 100_000) == 500)
        #expect(try seconds(of: 100_000, servers: 4) == 125)
        #expect(try seconds(of: 1_000_000) == 1800, "a quarter of the deadline")
    }

    @Test func `nobody stays away until it does not count as seen, or until the round is over`() throws {
        #expect(try seconds(of: 1_000_000, seen: 120) == 60)
        #expect(try seconds(of: 1_000_000) { $0.deadlineSeconds = 200 } == 50)
        #expect(try seconds(of: 1_000_000) { $0.deadlineSeconds = 100 } == nil)
    }

    @Test func `where everybody is wanted nobody is sent away`() throws {
        #expect(try seconds(of: 1_000_000) { $0.selection = .fraction(1) } == nil)
        #expect(
            try seconds(of: 1_000_000) {
                $0.buffer = RoundPolicy.Buffer(size: 10, stalenessExponent: 0.5, maximumStaleness: 10)
            } == nil)
    }
}
