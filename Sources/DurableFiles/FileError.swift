import Glibc
package import SystemPackage

/// A file operation that failed, with its reason.
package struct FileError: Error, Hashable, Sendable, CustomStringConvertible {
    package enum Reason: Hashable, Sendable {
        /// The disk or the owner's quota is full.
        case full
        /// Nothing exists at this path.
        case gone
        case other(Errno)
    }

    /// The failed action, as in "cannot open".
    package let action: String
    package let path: String
    package let code: Errno
    /// The reason in the system's words, or in our own where the system gives none.
    package let text: String

    package init(doing action: String, path: String, code: Errno, text: String? = nil) {
        self.action = action
        self.path = path
        self.code = code
        self.text = text ?? "\(code)"
    }

    /// Takes the reason from `errno`, so create it before any other call.
    package init(doing action: String, path: String) {
        self.init(doing: action, path: path, code: Errno(rawValue: errno))
    }

    package var reason: Reason {
        switch code {
        case .noSpace, .diskQuotaExceeded: .full
        case .noSuchFileOrDirectory: .gone
        default: .other(code)
        }
    }

    package var description: String { "cannot \(action): \(path): \(text)" }

    /// Runs work on files, and converts its error to the caller's.
    package static func mapping<Value, Failure: Error>(
        _ words: (FileError) -> Failure, _ work: () throws(FileError) -> Value
    ) throws(Failure) -> Value {
        do throws(FileError) {
            return try work()
        } catch {
            throw words(error)
        }
    }

    /// Names the call of swift-system that failed with an `Errno`.
    static func naming<Value>(
        _ action: String, _ path: String, _ call: () throws -> Value
    ) throws(FileError) -> Value {
        do {
            return try call()
        } catch {
            throw error as? FileError ?? FileError(doing: action, path: path, code: error as? Errno ?? .ioError)
        }
    }
}
