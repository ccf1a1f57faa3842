package import AdapterOperations

extension TrainingError {
    /// What a failure with a file means for training.
    package init(_ error: AdapterFileError) {
        switch error {
        case .adapter(let file, let reason): self = .adapter(file: file, reason: reason)
        case .file(let path, let reason): self = .file(path, reason: reason)
        case .noRoom(let path): self = .noRoom(path)
        }
    }

    /// What `work` returns; its failures are thrown as training's.
    static func converting<Value>(
        _ work: () throws(AdapterFileError) -> Value
    ) throws(TrainingError) -> Value {
        do throws(AdapterFileError) {
            return try work()
        } catch {
            throw TrainingError(error)
        }
    }

    /// What a failure to write at `path` means.
    static func writing(_ path: String, _ error: any Error) -> TrainingError {
        TrainingError(AdapterFileError.writing(path, error))
    }
}
