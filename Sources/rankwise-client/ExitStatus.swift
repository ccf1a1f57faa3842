import ArgumentParser
import ClientAgent
import HTTPFetching

/// What the process's exit code says.
enum ExitStatus: Int32 {
    case done = 0
    case usage = 2
    case refused = 3
    case outOfReach = 4
    case trainingFailed = 5

    var code: ExitCode { ExitCode(rawValue) }

    init(_ error: AgentError) {
        switch error {
        case .refused: self = .refused
        case .outOfReach: self = .outOfReach
        case .trainingFailed: self = .trainingFailed
        case .state: self = .usage
        case .cancelled: self = .done
        }
    }

    init(_ error: CallError) {
        switch error {
        case .refused: self = .refused
        case .unreached(.malformedRequest): self = .usage
        case .unreached(.cancelled): self = .done
        case .unreached, .unavailable: self = .outOfReach
        }
    }
}
