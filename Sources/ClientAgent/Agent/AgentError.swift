package import RankwiseWire
import ServerCalls

/// Why an agent stopped before its work was done.
package enum AgentError: Error, Sendable, Hashable {
    /// The server refused, and another try would not change that.
    case refused(Problem)
    /// The server gave no usable answer for longer than configured.
    case outOfReach(lastReason: String, tried: Duration)
    case trainingFailed(String)
    /// The agent's own folder cannot be used.
    case state(StateError)
    /// The task was cancelled; the finished work is kept and the next start continues.
    case cancelled
}

extension AgentError: CustomStringConvertible {
    /// One printable line, because parts of it come from the network.
    package var description: String { words.printable }

    private var words: String {
        switch self {
        case .refused(let problem): "the server refused: \(problem.summary)"
        case .outOfReach(let reason, let tried): "the server is out of reach for \(tried.inWords): \(reason)"
        case .trainingFailed(let reason): "training failed: \(reason)"
        case .state(let error): "\(error)"
        case .cancelled: "stopped"
        }
    }
}
