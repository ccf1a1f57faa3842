/// Why a simulation cannot start or continue.
package enum SimulationError: Error, Equatable, Sendable {
    /// An invalid setting; `path` names its key.
    case settings(path: String, reason: String)
    case data(String)
    case training(client: String, reason: String)
    case aggregation(round: Int, reason: String)
    case evaluation(round: Int, reason: String)
    case file(String, reason: String)
    /// The folder holds a run with other settings.
    case otherRun(folder: String)
    /// The server or the connection to it failed.
    case network(String)
    case cancelled
}

extension SimulationError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .settings(let path, let reason): path.isEmpty ? "the settings: \(reason)" : "\(path) \(reason)"
        case .data(let reason): reason
        case .training(let client, let reason): "\(client) could not train: \(reason)"
        case .aggregation(let round, let reason): "round \(round) could not be aggregated: \(reason)"
        case .evaluation(let round, let reason): "round \(round) could not be evaluated: \(reason)"
        case .file(let path, let reason): "\(path): \(reason)"
        case .otherRun(let folder): "\(folder) holds a run of other settings; name another folder, or remove it"
        case .network(let reason): "the server in this process: \(reason)"
        case .cancelled: "the simulation was cancelled"
        }
    }
}
