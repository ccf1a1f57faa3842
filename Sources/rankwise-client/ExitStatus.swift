import ArgumentParser
import ClientAgent
import HTTPFetching
import ServerCalls

/// The process's exit code.
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
        case .state(let error): self.init(error)
        case .cancelled: self = .done
        }
    }

    /// A full disk is treated like an unreachable server: it passes, and this client needs no person.
    init(_ error: StateError) {
        switch error {
        case .noRoom: self = .outOfReach
        case .inUse, .ofAnother, .unreadable, .failed: self = .usage
        }
    }

    init(_ error: CallError) {
        switch error {
        case .refused: self = .refused
        case .unreached(.malformedRequest): self = .usage
        case .unreached(.cancelled): self = .done
        case .unreached, .foreign, .unavailable: self = .outOfReach
        }
    }
}
