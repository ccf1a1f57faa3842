/// Why a round of training or an evaluation gave no result.
package enum TrainingError: Error, Equatable, Sendable {
    /// The model cannot be trained here.
    case model(String, reason: String)
    /// A setting of the plan has an unsupported value.
    case setting(String, expected: String, found: String)
    /// An option of this client cannot be kept, or asks for what there is not.
    case option(String, expected: String, found: String)
    /// The data do not fit the model.
    case data(reason: String)
    /// The received adapter or merge does not fit the model.
    case adapter(file: String, reason: String)
    /// The loss is not finite.
    case diverged(epoch: Int, step: Int)
    /// Training exceeded its time limit.
    case tooLong(Duration)
    case file(String, reason: String)
    /// The disk is full.
    case noRoom(String)
    /// The external command failed.
    case command(reason: String)
    /// The external command does not train this round; it may train others.
    case abstained(reason: String)
    /// The external command asks not to be run again.
    case stopped(reason: String)
    case cancelled
}

extension TrainingError {
    /// Whether another attempt at the same assignment may succeed.
    package var isWorthRetrying: Bool {
        switch self {
        case .command, .file, .noRoom: true
        case .model, .setting, .option, .data, .adapter, .diverged, .tooLong, .abstained, .stopped, .cancelled: false
        }
    }
}

extension TrainingError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .model(let name, let reason): "the base model \"\(name)\" cannot be trained here: \(reason)"
        case .setting(let name, let expected, let found):
            "the plan's \(name) is \(found); expected \(expected)"
        case .option(let name, let expected, let found): "\(name) is \(found); expected \(expected)"
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
