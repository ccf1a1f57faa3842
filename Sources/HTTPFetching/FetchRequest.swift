/// A request to a server, and the destination of its answer.
package struct FetchRequest: Sendable {
    package enum Method: String, Sendable, Hashable {
        case get = "GET"
        case head = "HEAD"
        case put = "PUT"
        case post = "POST"
        case patch = "PATCH"
        case delete = "DELETE"
    }

    package enum Body: Sendable, Hashable {
        case none
        case bytes([UInt8])
        /// Streamed from a file; the length is the file's length when the transfer starts.
        case file(path: String)
        /// The same, without the file's first bytes.
        case rest(path: String, from: Int64)
    }

    /// The destination of a successful answer's body. The body of any other answer is kept in memory, up to
    /// `FetchRequest.memoryLimit`, so that its reason can be read.
    package enum Destination: Sendable {
        case memory(limit: Int)
        /// Written to `path.part`, synced and renamed once complete. The next download resumes an interrupted one, as
        /// long as the server's strong ETag is the same.
        case file(path: String, limit: Int64)
        /// Handed to a sink as it comes.
        case sink(any FetchSink)
    }

    /// Time-outs that give a large body on a slow link all the time it needs.
    package struct Patience: Sendable, Hashable {
        package var connect: Duration
        /// A transfer that is slower than `leastBytesPerSecond` for this long is aborted. A long poll needs more than
        /// its wait.
        package var stall: Duration
        package var leastBytesPerSecond: Int
        /// The whole transfer is aborted after this time; nil for never.
        package var total: Duration?

        package init(
            connect: Duration = .seconds(15), stall: Duration = .seconds(60), leastBytesPerSecond: Int = 16,
            total: Duration? = nil
        ) {
            self.connect = connect
            self.stall = stall
            self.leastBytesPerSecond = leastBytesPerSecond
            self.total = total
        }
    }

    package static let memoryLimit = 8 << 20

    package var method: Method
    package var url: String
    package var fields: [HTTPField]
    package var body: Body
    package var destination: Destination
    package var patience: Patience
    /// Called on the fetcher's thread whenever bytes moved; must not block.
    package var progress: (@Sendable (FetchProgress) -> Void)?

    package init(
        _ method: Method = .get, _ url: String, fields: [HTTPField] = [], body: Body = .none,
        destination: Destination = .memory(limit: FetchRequest.memoryLimit), patience: Patience = Patience(),
        progress: (@Sendable (FetchProgress) -> Void)? = nil
    ) {
        self.method = method
        self.url = url
        self.fields = fields
        self.body = body
        self.destination = destination
        self.patience = patience
        self.progress = progress
    }
}

/// How far a transfer is, in bytes of the bodies; totals are nil while unknown.
package struct FetchProgress: Sendable, Hashable {
    package var sent: Int64
    package var toSend: Int64?
    package var received: Int64
    package var toReceive: Int64?

    package init(sent: Int64 = 0, toSend: Int64? = nil, received: Int64 = 0, toReceive: Int64? = nil) {
        self.sent = sent
        self.toSend = toSend
        self.received = received
        self.toReceive = toReceive
    }
}
