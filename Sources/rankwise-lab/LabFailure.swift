import ArgumentParser
import Foundation

/// What the lab says of a failure that is none of the command line's.
enum LabFailure {
    /// Tells the reason on standard error; the program then ends with status 1.
    static func shown(_ error: any Error) -> ExitCode {
        try? FileHandle.standardError.write(contentsOf: Data("rankwise-lab: \(error)\n".utf8))
        return .failure
    }
}
