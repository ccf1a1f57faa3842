package import DurableFiles

extension FetchError {
    package init(_ error: FileError) {
        self = error.reason == .full ? .noRoom(path: error.path) : .file(path: error.path, reason: error.text)
    }

    /// Runs work on files, whose failure is the fetch's.
    package static func onFiles<Value>(_ work: () throws(FileError) -> Value) throws(FetchError) -> Value {
        try FileError.mapping(FetchError.init, work)
    }
}
