import Logging
import Synchronization

/// The present credentials of a source: read at the first call, and again before they expire or once a store refuses
/// them. Its calls may block.
final class CredentialsProvider: Sendable {
    private struct Held {
        var credentials: Credentials
        /// In seconds since 1970-01-01 UTC; nil where they do not expire.
        var renewal: Int64?
    }

    /// How long before their end credentials are renewed, unless a quarter of their life is shorter.
    private static let margin: Int64 = 300

    private let source: CredentialsSource
    private let now: @Sendable () -> Int64
    private let logger: Logger
    private let held = Mutex<Held?>(nil)

    init(_ source: CredentialsSource, now: @escaping @Sendable () -> Int64, logger: Logger) {
        self.source = source
        self.now = now
        self.logger = logger
    }

    /// Where a renewal fails, the old ones serve until they expire.
    func current() throws(ObjectError) -> Credentials {
        try held.withLock { held throws(ObjectError) in
            let now = now()
            if let held, held.renewal.map({ now < $0 }) ?? true { return held.credentials }
            do throws(ObjectError) {
                let credentials = try source.read()
                guard let end = credentials.expiration else {
                    held = Held(credentials: credentials)
                    return credentials
                }
                guard end > now else { throw .credentials("they expired before they came") }
                held = Held(credentials: credentials, renewal: end - min(Self.margin, (end - now) / 4))
                return credentials
            } catch {
                guard let old = held?.credentials, let end = old.expiration, now < end else { throw error }
                logger.warning("credentials could not be renewed", metadata: ["reason": "\(error)"])
                return old
            }
        }
    }

    /// Has the source read again, because a store refused these credentials.
    func distrust(_ credentials: Credentials) {
        held.withLock { held in
            if held?.credentials == credentials { held = nil }
        }
    }
}

extension CredentialsSource {
    fileprivate func read() throws(ObjectError) -> Credentials {
        switch self {
        case .fixed(let credentials): credentials
        case .environment: try Credentials(environment: ProcessVariables.value)
        case .file(let path, let profile): try CredentialsFile.read(path, profile: profile)
        case .command(let words): try CredentialsCommand.run(words)
        }
    }
}
