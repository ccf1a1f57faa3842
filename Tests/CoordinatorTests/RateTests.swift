import Federation
import Testing

@testable import Coordinator

/// Paces, bounded tables and waits, as values with a clock of the tests'.
@Suite struct RateTests {
    /// A taking at a time, and the wait that it meets.
    struct Taking: Sendable {
        let seconds: Double
        let amount: Double
        let wait: Double?

        init(at seconds: Double, _ amount: Double, _ wait: Double? = nil) {
            self.seconds = seconds
            self.amount = amount
            self.wait = wait
        }
    }

    static let scripts: [[Taking]] = [
        // Two a second, three seconds' worth: a burst of six, and then one each half second.
        (0..<6).map { _ in Taking(at: 0, 1) } + [
            Taking(at: 0, 1, 0.001), Taking(at: 0.25, 1), Taking(at: 0.25, 1, 0.25), Taking(at: 0.75, 1),
            Taking(at: 100, 6), Taking(at: 100, 1, 0.001),
        ],
        // What is larger than all is admitted, and waited for afterwards.
        [Taking(at: 0, 20), Taking(at: 0, 1, 7), Taking(at: 6, 1, 1), Taking(at: 7, 1, 0.001), Taking(at: 7.5, 1)],
        // A clock that goes back refills nothing.
        [Taking(at: 50, 6), Taking(at: 10, 1, 0.001), Taking(at: 10.5, 1), Taking(at: 10.5, 1, 0.001)],
        // Nothing takes nothing, but not from an empty bucket.
        [Taking(at: 0, 0), Taking(at: 0, 6), Taking(at: 0, 0, 0.001)],
    ]

    private func instant(_ seconds: Double) -> Timestamp { Timestamp(milliseconds: 1_000_000).adding(seconds: seconds) }

    @Test(arguments: scripts)
    func `a bucket admits its burst and then its pace`(_ script: [Taking]) {
        let pace = TokenBucket.Pace(perSecond: 2, seconds: 3)
        var bucket = TokenBucket(of: pace, at: instant(script[0].seconds))
        for taking in script {
            #expect(bucket.take(taking.amount, at: instant(taking.seconds), pace: pace) == taking.wait, "\(taking)")
        }
    }

    @Test func `what is given back can be taken again, and no more than the bound`() {
        let pace = TokenBucket.Pace(perSecond: 1, seconds: 10)
        var bucket = TokenBucket(of: pace, at: instant(0))
        #expect(bucket.take(30, at: instant(0), pace: pace) == nil)
        bucket.giveBack(25, pace: pace)
        #expect(bucket.take(5, at: instant(0), pace: pace) == nil)
        #expect(bucket.take(1, at: instant(0), pace: pace) != nil)
        bucket.giveBack(1000, pace: pace)
        #expect(bucket.take(10, at: instant(0), pace: pace) == nil)
        #expect(bucket.take(1, at: instant(0), pace: pace) != nil)
    }

    @Test func `a table never holds more than it may, and keeps what is used`() {
        var table = RecentTable<Int, Int>(limit: 10)
        for key in 0..<1000 {
            table.update(key, initially: 0) { $0 = key }
            let kept = table.update(0, initially: -1) { value in
                value += 1
                return value
            }
            #expect(kept == key + 1)
            #expect(table.count <= 10)
        }
        #expect(table.update(1, initially: -1) { $0 } == -1)
    }

    private static let peer = PeerAddress(ipv4: 7, isLoopback: false)

    @Test func `wrong tokens cost waits that double up to a bound, and silence forgives them`() {
        var limits = RateLimits()
        (limits.authFailures, limits.authBackoffSeconds, limits.anonymousRequestsPerSecond) = (3, 5, 0)
        var table = AddressThrottle(limits: limits)
        for _ in 0..<4 { #expect(table.admitFailure(Self.peer, at: instant(0)) == nil) }
        #expect(table.admitFailure(Self.peer, at: instant(0.25)) == 0.75)
        // Who tries while it has to wait does not wait longer.
        #expect(table.admitFailure(Self.peer, at: instant(0.75)) == 0.25)
        // Others do not wait, and neither does who comes without a token.
        #expect(table.admitFailure(PeerAddress(ipv4: 8, isLoopback: false), at: instant(0.25)) == nil)
        #expect(table.admitFailure(PeerAddress(ipv6: 7, isLoopback: false), at: instant(0.25)) == nil)
        #expect(table.admit(Self.peer, at: instant(0.25)) == nil)
        var now = 1.0
        for wait in [2.0, 4, 5, 5] {
            #expect(table.admitFailure(Self.peer, at: instant(now)) == nil)
            #expect(table.admitFailure(Self.peer, at: instant(now)) == wait)
            now += wait
        }
        now += 5
        // Five seconds after the last wait all is forgiven, as it is by a clock that was set back.
        for _ in 0..<4 { #expect(table.admitFailure(Self.peer, at: instant(now)) == nil) }
        #expect(table.admitFailure(Self.peer, at: instant(now)) == 1)
        #expect(table.admitFailure(Self.peer, at: instant(now - 100)) == nil)
    }

    @Test func `who has no good token is held to a pace by address, with right or wrong manners`() {
        var limits = RateLimits()
        (limits.anonymousRequestsPerSecond, limits.authBackoffSeconds) = (1, 0)
        var table = AddressThrottle(limits: limits)
        for index in 0..<10 {
            let wait =
                index % 2 == 0
                ? table.admit(Self.peer, at: instant(0)) : table.admitFailure(Self.peer, at: instant(0))
            #expect(wait == nil)
        }
        #expect(table.admit(Self.peer, at: instant(0)) != nil)
        #expect(table.admitFailure(Self.peer, at: instant(0)) != nil)
        #expect(table.admit(PeerAddress(ipv4: 8, isLoopback: false), at: instant(0)) == nil)
        #expect(table.admit(Self.peer, at: instant(1)) == nil)
    }

    @Test func `loopback can be left alone, and the addresses remembered are bounded`() {
        var limits = RateLimits()
        (limits.anonymousRequestsPerSecond, limits.appliesToLoopback) = (1, false)
        var table = AddressThrottle(limits: limits, capacity: 100)
        let here = PeerAddress(ipv4: 1, isLoopback: true)
        for _ in 0..<1000 {
            #expect(table.admit(here, at: instant(0)) == nil && table.admitFailure(here, at: instant(0)) == nil)
        }
        #expect(table.count == 0)
        for address in 0..<100_000 {
            _ = table.admitFailure(PeerAddress(ipv6: UInt64(address), isLoopback: false), at: instant(0))
        }
        #expect(table.count <= 100)
    }
}
