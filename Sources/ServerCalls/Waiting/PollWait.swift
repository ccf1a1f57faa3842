/// How long polls wait for news. The wait is halved whenever a proxy gave up first, down to five seconds.
package struct PollWait: Sendable {
    private static let shortest = Duration.seconds(5)

    package private(set) var duration: Duration

    package init(_ duration: Duration) { self.duration = duration }

    /// Whether an error only says that a proxy stopped waiting, so that a shorter poll is enough. Nobody needs to hear
    /// of it.
    package func isTooLong(for error: CallError) -> Bool {
        guard case .foreign(let page) = error, page.isTimeOut else { return false }
        return duration > Self.shortest
    }

    package mutating func shorten() { duration = max(Self.shortest, duration / 2) }
}
