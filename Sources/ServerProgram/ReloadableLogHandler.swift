import Logging
import Synchronization

/// A log handler whose level all loggers share, so that it can change while the server runs.
struct ReloadableLogHandler: LogHandler {
    private static let level = Mutex(Logger.Level.info)

    private var handler: any LogHandler

    init(_ handler: any LogHandler) {
        self.handler = handler
        // This handler decides what is written.
        self.handler.logLevel = .trace
    }

    /// Changes the level of every logger.
    static func use(_ level: Logger.Level) { self.level.withLock { $0 = level } }

    var logLevel: Logger.Level {
        get { Self.level.withLock { $0 } }
        set {}
    }

    var metadata: Logger.Metadata {
        get { handler.metadata }
        set { handler.metadata = newValue }
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { handler[metadataKey: key] }
        set { handler[metadataKey: key] = newValue }
    }

    func log(event: LogEvent) { handler.log(event: event) }
}
