import Synchronization

/// The TLS context of new connections; open connections keep theirs.
final class TLSContexts: Sendable {
    private let settings: HTTPServer.TLS
    private let latest: Mutex<TLSContext>

    init(_ settings: HTTPServer.TLS) throws(TLSError) {
        self.settings = settings
        latest = Mutex(try TLSContext(settings))
    }

    var current: TLSContext { latest.withLock { $0 } }

    /// Reads the files again; on a failure the context stays as it was.
    func reload() throws(TLSError) {
        let context = try TLSContext(settings)
        latest.withLock { $0 = context }
    }
}
