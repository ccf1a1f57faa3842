/// The limits on what a peer can make the server store, do or wait for.
package struct Limits: Sendable, Hashable {
    /// Longest request line, including its line end; 414 above. Default 8 KiB.
    package var requestLineBytes = 8 << 10
    /// All header lines of a request together, and all trailer lines; 431 above. Default 32 KiB.
    package var headerBytes = 32 << 10
    /// Header fields of a request; 431 above. Default 100.
    package var headerFields = 100
    /// Any request's body, even if its handler allows more; 413 above. Default 1 GiB.
    package var bodyBytes = 1 << 30
    /// All chunk extensions of one body together; they are skipped. Default 16 KiB.
    package var chunkExtensionBytes = 16 << 10
    /// From a connection's opening, or a request's first byte, to the end of the header section; 408 after it. Default
    /// 10 s.
    package var timeToHeaders: Duration = .seconds(10)
    /// How long a connection may stay open between two requests. Default 75 s.
    package var idleTime: Duration = .seconds(75)
    /// Bytes a second that a body must bring while its handler waits for it, measured over `bodyRateWindow`; 408 below.
    /// Default 1 KiB/s.
    package var leastBodyRate = 1 << 10
    /// The window for the body rate, and so the longest silence. Default 30 s.
    package var bodyRateWindow: Duration = .seconds(30)
    /// How long a peer may take none of an answer's bytes. Default 60 s.
    package var writeStallTime: Duration = .seconds(60)
    /// How long the server drains a refused peer's bytes, so that the peer can read the answer. Default 5 s.
    package var lingerTime: Duration = .seconds(5)
    /// Connections in all, also limited by the process's descriptors; 503 above. Default 16,384.
    package var connections = 16 << 10
    /// Connections from one IPv4 address or IPv6 /64; 503 above. Default 1,024.
    package var connectionsPerAddress = 1 << 10
    /// Request bodies in flight at once, from their head to the end of their handler; 503 above. Default 1,024.
    package var bodiesInFlight = 1 << 10
    /// Request bodies in flight from one IPv4 address or IPv6 /64; 503 above. Default 256.
    package var bodiesPerAddress = 256
    /// The bytes of all bodies in flight: the declared length or, for chunked bodies, the received bytes; 503 above. A
    /// body that is alone is always admitted. Default 16 GiB.
    package var bodyBytesInFlight = 16 << 30
    /// Whether `connectionsPerAddress` and `bodiesPerAddress` apply to loopback too, where a proxy may send for all.
    /// Default no.
    package var countsLoopbackAddresses = false
    /// The value of `Retry-After` in a 503. Default 5 s.
    package var retryAfterSeconds = 5

    package init() {}
}
