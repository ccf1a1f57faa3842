import Federation

/// Why PostgreSQL did not do what it was asked to do.
enum PostgresError: Error, Sendable, Hashable {
    /// The connection cannot be made or was lost. What was sent may or may not have been done.
    case disconnected(String)
    /// The server refused a statement; its transaction changes nothing.
    case refused(state: String, message: String)

    /// Whether a new attempt of the whole transaction may succeed at once: a deadlock or a serialization failure.
    var isPassing: Bool {
        if case .refused(let state, _) = self { ["40001", "40P01", "55P03"].contains(state) } else { false }
    }

    /// The port's error.
    var storeError: StoreError {
        switch self {
        case .disconnected(let reason): .failed("PostgreSQL cannot be reached: \(reason)")
        case .refused("53100", _): .full
        case .refused(let state, let message): .failed("PostgreSQL refused a statement (\(state)): \(message)")
        }
    }
}

extension PostgresError {
    /// The states after which another server, or the same one later, must be asked: it shuts down, starts, or is a
    /// standby that takes no writes.
    static let statesOfAnotherServer: Set<String> = ["57P01", "57P02", "57P03", "25006", "08000", "08003", "08006"]
}
