package import AdapterOperations

extension TrainingError {
    /// The training error for a failure with a file.
    package init(_ error: AdapterFileError) {
        switch error {
        case .adapter(let file, let reason): self = .adapter(file: file, reason: reason)
        case .file(let path, let reason): self = .file(path, reason: reason)
        case .noRoom(let path): self = .noRoom(path)
        }
    }

    /// Returns the result of `work`, and throws its failures as training errors.
    static func converting<Value>(
        _ work: () throws(AdapterFileError) -> Value
    ) throws(TrainingError) -> Value {
        do throws(AdapterFileError) {
            return try work()
        } catch {
            throw TrainingError(error)
        }
    }

    /// The error for a failure to write at `path`.
    static func writing(_ path: String, _ error: any Error) -> TrainingError {
        TrainingError(AdapterFileError.writing(path, error))
    }
}
