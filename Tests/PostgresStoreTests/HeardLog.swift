import Logging
import Synchronization

/// A log whose lines a test waits for, or looks up.
struct HeardLog: LogHandler {
    private final class Lines: Sendable {
        let all = Mutex<[String]>([])
    }

    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.trace
    private let lines = Lines()
    private let news: AsyncStream<String>.Continuation

    /// - Returns: the lines as they come, and the log.
    static func make() -> (AsyncStream<String>, HeardLog) {
        let (stream, continuation) = AsyncStream.makeStream(of: String.self)
        return (stream, HeardLog(news: continuation))
    }

    private init(news: AsyncStream<String>.Continuation) { self.news = news }

    /// Whether some line has a text.
    func has(_ text: String) -> Bool { lines.all.withLock { $0.contains { $0.contains(text) } } }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        let line = "\(event.message) \(event.metadata ?? [:])"
        lines.all.withLock { $0.append(line) }
        news.yield(line)
    }
}
