import Federation

/// Why PostgreSQL did not do what it was asked to do.
enum PostgresError: Error, Sendable, Hashable {
    /// The connection cannot be made or was lost. What was sent may or may not have been done.
    case disconnected(String)
    /// No connection is made until a setting changes: a certificate, a password, a name. Nothing was sent.
    case rejected(String)
    /// The server refused a statement; its transaction changes nothing.
    case refused(state: String, message: String)

    /// Whether a new attempt of the whole transaction may succeed at once: a deadlock or a serialization failure.
    var isPassing: Bool {
        if case .refused(let state, _) = self { ["40001", "40P01", "55P03"].contains(state) } else { false }
    }

    /// Whether a new attempt of the whole transaction may succeed on another connection: this one is lost, or its prepared
    /// statements are of tables to which another server has added columns since.
    var needsNewConnection: Bool {
        switch self {
        case .disconnected: true
        case .refused("0A000", let message): message.contains("cached plan must not change result type")
        case .rejected, .refused: false
        }
    }

    /// The port's error.
    var storeError: StoreError {
        switch self {
        case .disconnected(let reason): .failed("PostgreSQL cannot be reached: \(reason)")
        case .rejected(let reason): .failed("no connection to PostgreSQL: \(reason)")
        case .refused("53100", _): .full
        case .refused(let state, let message): .failed("PostgreSQL refused a statement (\(state)): \(message)")
        }
    }
}

extension PostgresError {
    /// The states after which another server, or the same one later, must be asked: it shuts down, starts, or is a
    /// standby that takes no writes.
    static let statesOfAnotherServer: Set<String> = ["57P01", "57P02", "57P03", "25006", "08000", "08003", "08006"]

    /// Why there is no connection. libpq gives a text alone, which names no password.
    init(connecting message: String) {
        let needsAnotherSetting = Self.settingsAtFault.contains { message.contains($0) }
        self = needsAnotherSetting ? .rejected(message) : .disconnected(message)
    }

    /// What libpq and the server say where another attempt would fail too.
    private static let settingsAtFault = [
        "certificate verify failed", "does not match host name", "root certificate file", "certificate file",
        "private key file", "does not support SSL", "invalid sslmode value", "sslmode value \"",
        "password authentication failed", "no password supplied", "no pg_hba.conf entry",
        "pg_hba.conf rejects connection",
    ]
}
