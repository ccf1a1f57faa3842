import ArgumentParser
import Foundation

/// Reports a failure that is not an error of the command line.
enum LabFailure {
    /// Prints the reason to standard error; the program then ends with status 1.
    static func shown(_ error: any Error) -> ExitCode {
        try? FileHandle.standardError.write(contentsOf: Data("rankwise-lab: \(error)\n".utf8))
        return .failure
    }
}
