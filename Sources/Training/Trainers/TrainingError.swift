import AdapterFormat
import DurableFiles
import Foundation

/// Why a round of training, or an evaluation, gave no result.
package enum TrainingError: Error, Equatable, Sendable {
    /// A model's name that means nothing here.
    case model(String, reason: String)
    /// A setting of the plan that cannot be followed.
    case setting(String, expected: String, found: String)
    /// The data do not fit the model.
    case data(reason: String)
    /// The adapter or merge that came does not fit the model.
    case adapter(file: String, reason: String)
    /// The loss left the finite numbers.
    case diverged(epoch: Int, step: Int)
    /// It was not done in the time that it may take.
    case tooLong(Duration)
    case file(String, reason: String)
    /// The disk is full.
    case noRoom(String)
    /// The external command did not do its part.
    case command(reason: String)
    /// The external command will not train this round, and is well otherwise.
    case abstained(reason: String)
    /// The external command asks not to be run again.
    case stopped(reason: String)
    case cancelled
}

extension TrainingError {
    /// Whether the same assignment may well be trained when it is tried again.
    package var isWorthRetrying: Bool {
        switch self {
        case .command, .file, .noRoom: true
        case .model, .setting, .data, .adapter, .diverged, .tooLong, .abstained, .stopped, .cancelled: false
        }
    }
}

extension TrainingError {
    /// What a failure to write at `path` means.
    static func writing(_ path: String, _ error: any Error) -> TrainingError {
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

extension TrainingError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .model(let name, let reason): "the base model \"\(name)\" cannot be trained here: \(reason)"
        case .setting(let name, let expected, let found):
            "the plan's \(name) is \(found); expected \(expected)"
        case .data(let reason): "the data do not fit the model: \(reason)"
        case .adapter(let file, let reason): "\(file) does not fit the model: \(reason)"
        case .diverged(let epoch, let step):
            "the loss is not finite in epoch \(epoch), step \(step); a lower learning rate may help"
        case .file(let path, let reason): "\(path): \(reason)"
        case .noRoom(let path): "\(path): the disk is full"
        case .command(let reason): "the trainer command \(reason)"
        case .abstained(let reason), .stopped(let reason): "the trainer command \(reason)"
        case .tooLong(let limit): "training took longer than \(limit) and was stopped"
        case .cancelled: "training was cancelled"
        }
    }
}
