import DurableFiles

/// Why a state folder cannot be used.
package enum StateError: Error, Sendable, Hashable {
    /// Another agent uses it.
    case inUse(folder: String)
    /// It holds the identity of another client.
    case ofAnother(folder: String, field: String, expected: String, found: String)
    case unreadable(path: String, reason: String)
    /// The disk is full.
    case noRoom(path: String)
    case failed(path: String, reason: String)
}

extension StateError {
    init(_ error: FileError) {
        self = error.reason == .full ? .noRoom(path: error.path) : .failed(path: error.path, reason: error.text)
    }

    /// Runs work on files, whose failure is the folder's.
    static func onFiles<Value>(_ work: () throws(FileError) -> Value) throws(StateError) -> Value {
        try FileError.mapping(StateError.init, work)
    }
}

extension StateError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .inUse(let folder):
            "another rankwise-client uses the state folder \(folder); give this one its own --state"
        case .ofAnother(let folder, let field, let expected, let found):
            "the state folder \(folder) belongs to \(field) \(found), not \(expected); give another --state, or correct "
                + "\(field) in its identity.json if it was renamed"
        case .unreadable(let path, let reason): "\(path) cannot be read: \(reason)"
        case .noRoom(let path): "\(path): the disk is full"
        case .failed(let path, let reason): "\(path): \(reason)"
        }
    }
}
