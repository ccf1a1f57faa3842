import AdapterFormat
import DurableFiles
import FoundationEssentials
import Glibc

/// Why a file of an adapter or a model cannot be read, combined with others, or written.
package enum AdapterFileError: Error, Equatable, Sendable {
    /// An adapter does not fit the model or the other adapters.
    case adapter(file: String, reason: String)
    case file(String, reason: String)
    /// The disk is full.
    case noRoom(String)
}

extension AdapterFileError {
    /// The error for a failure to write at `path`.
    package static func writing(_ path: String, _ error: any Error) -> AdapterFileError {
        let hasRoom =
            switch error {
            case let error as FileError: error.reason != .full
            case let error as SystemError: !SystemError.isNoRoom(error.code)
            case SafetensorsWriteError.system(let error): !SystemError.isNoRoom(error.code)
            case let error as CocoaError:
                error.code != .fileWriteOutOfSpace
                    && !((error.underlying as? POSIXError).map { SystemError.isNoRoom($0.code.rawValue) } ?? false)
            default: true
            }
        return hasRoom ? .file(path, reason: (error as? FileError)?.text ?? "\(error)") : .noRoom(path)
    }
}

extension AdapterFileError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .adapter(let file, let reason): "\(file) does not fit the model: \(reason)"
        case .file(let path, let reason): "\(path): \(reason)"
        case .noRoom(let path): "\(path): the disk is full"
        }
    }
}
