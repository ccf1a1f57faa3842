import Glibc

/// A failed system call on a file.
package struct SystemError: Error, Equatable, Sendable, CustomStringConvertible {
    package let operation: String
    package let code: Int32

    /// Takes the code of the call that just failed.
    package static func last(_ operation: String) -> SystemError {
        SystemError(operation: operation, code: errno)
    }

    package var description: String { "\(operation): \(String(cString: strerror(code)))" }
}
