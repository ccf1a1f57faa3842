import Foundation
import TestStage

extension Program {
    /// The folder of this package's built programs, which holds the tests' own binary too.
    static func builtFolder() throws -> String {
        let tests = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        return URL(fileURLWithPath: tests).deletingLastPathComponent().path
    }

    /// A built program of this package, run as its user runs it.
    ///
    /// - Parameter wrapper: a command that becomes the program, which it gets as its last arguments.
    convenience init(
        _ name: String, _ arguments: [String], environment: [String: String] = [:], wrapper: [String] = []
    ) throws {
        try self.init(wrapper + [Self.builtFolder() + "/" + name] + arguments, environment: environment)
    }

    /// Whether a command can be run here, and with success.
    static func succeeds(_ command: [String]) -> Bool { (try? Program(command).exitStatus()) == 0 }
}
