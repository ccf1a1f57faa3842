import ArgumentParser
import HTTPFetching
import RankwiseWire
import ServerCalls

/// The process's exit code; a wrong command line is ArgumentParser's 64.
enum AdminExit: Int32, Sendable, CaseIterable {
    case done = 0
    /// The server refused, or what was named is not there.
    case refused = 1
    /// A local file cannot be read or written, or has the wrong content.
    case file = 2
    /// The token is missing, wrong, or may not do this.
    case unauthorised = 3
    /// Nobody answered, the server cannot serve this now, or something else answered.
    case outOfReach = 4
    /// The watched federation ended without its last round.
    case failed = 5

    var code: ExitCode { ExitCode(rawValue) }

    init(_ error: CallError) {
        switch error {
        case .refused(let problem): self = [401, 403].contains(problem.status) ? .unauthorised : .refused
        // The files of certificates, and those that are sent or written.
        case .unreached(.malformedRequest), .unreached(.file), .unreached(.noRoom): self = .file
        case .unreached, .foreign, .unavailable: self = .outOfReach
        }
    }
}
