/// Everything that bounds what a peer can make the server hold, do or wait for.
package struct Limits: Sendable, Hashable {
    /// Longest request line, its line end included; beyond it 414. Default 8 KiB.
    package var requestLineBytes = 8 << 10
    /// All header lines of a request together, and all trailer lines; beyond it 431. Default 32 KiB.
    package var headerBytes = 32 << 10
    /// Header fields of a request; beyond it 431. Default 100.
    package var headerFields = 100
    /// Any request's body, whatever its handler allows; beyond it 413. Default 1 GiB.
    package var bodyBytes = 1 << 30
    /// Chunk extensions of one body together, which are skipped. Default 16 KiB.
    package var chunkExtensionBytes = 16 << 10
    /// From a connection's first byte of a request (or its opening) to the end of the header section;
    /// beyond it 408. Default 10 s.
    package var timeToHeaders: Duration = .seconds(10)
    /// How long a connection may stay open between two requests. Default 75 s.
    package var idleTime: Duration = .seconds(75)
    /// Bytes a second that a body must bring while its handler waits for it, over `bodyRateWindow`;
    /// below it 408. Default 1 KiB/s.
    package var leastBodyRate = 1 << 10
    /// The span over which the body rate is taken, and so the longest silence. Default 30 s.
    package var bodyRateWindow: Duration = .seconds(30)
    /// How long a peer may take nothing of an answer. Default 60 s.
    package var writeStallTime: Duration = .seconds(60)
    /// How long a refused peer's bytes are drained so that it can read the answer. Default 5 s.
    package var lingerTime: Duration = .seconds(5)
    /// Connections in all, further bounded by the descriptors this process may open; beyond it 503. Default 16,384.
    package var connections = 16 << 10
    /// Connections from one IPv4 address or IPv6 /64; beyond it 503. Default 1,024.
    package var connectionsPerAddress = 1 << 10
    /// Request bodies under way at once, from their head to the end of their handler; beyond it 503. Default 1,024.
    package var bodiesInFlight = 1 << 10
    /// Of these, from one IPv4 address or IPv6 /64; beyond it 503. Default 256.
    package var bodiesPerAddress = 256
    /// The bytes that all bodies under way may have together, as they declare them or, chunked, as they come; beyond it
    /// 503, but a lone body is always let in. Default 16 GiB.
    package var bodyBytesInFlight = 16 << 30
    /// Whether `connectionsPerAddress` and `bodiesPerAddress` hold for loopback too, where a proxy speaks for everyone. Default no.
    package var countsLoopbackAddresses = false
    /// What `Retry-After` says in a 503. Default 5 s.
    package var retryAfterSeconds = 5

    package init() {}
}
