/// How long a call on the object store goes on, and how slow its transfers may be.
package struct ObjectPatience: Sendable, Hashable {
    /// No new try begins this long after the call, so a store that is away is reported soon after it. Default 20 s.
    package var retrying: Duration
    /// The most tries of one call. Default 6.
    package var tries: Int
    /// The whole call ends after this time, even while bytes move. Default 10 min.
    package var total: Duration
    /// For the connection. Default 5 s.
    package var connect: Duration
    /// A transfer that is slower than `leastBytesPerSecond` for this long is aborted, and so is one whose
    /// answer does not come after the bytes are sent. Default 30 s.
    package var stall: Duration
    /// Default 4 KiB/s.
    package var leastBytesPerSecond: Int

    package init(
        retrying: Duration = .seconds(20), tries: Int = 6, total: Duration = .seconds(600),
        connect: Duration = .seconds(5), stall: Duration = .seconds(30), leastBytesPerSecond: Int = 4 << 10
    ) {
        self.retrying = retrying
        self.tries = tries
        self.total = total
        self.connect = connect
        self.stall = stall
        self.leastBytesPerSecond = leastBytesPerSecond
    }

    /// For a request that somebody waits for: one second try at most, and an end after a few seconds.
    package static let short = ObjectPatience(
        retrying: .seconds(2), tries: 2, total: .seconds(10), connect: .seconds(2), stall: .seconds(5))
}
