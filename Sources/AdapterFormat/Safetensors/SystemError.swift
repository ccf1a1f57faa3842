import Glibc

/// A failed system call on a file.
package struct SystemError: Error, Equatable, Sendable, CustomStringConvertible {
    package let operation: String
    package let code: Int32

    /// The error of the call that just failed.
    package static func last(_ operation: String) -> SystemError {
        SystemError(operation: operation, code: errno)
    }

    /// Whether `code` says that the disk is full or the owner's quota is used up.
    package static func isNoRoom(_ code: Int32) -> Bool { code == ENOSPC || code == EDQUOT }

    package var description: String { "\(operation): \(String(cString: strerror(code)))" }
}
