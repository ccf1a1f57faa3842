package import AdapterFormat
package import StrictJSON

/// Why a file or folder is no model that can be read: the file, what was expected and what came.
package enum ModelFileError: Error, Equatable, Sendable {
    case unreadable(file: String, SystemError)
    /// Neither a folder nor a GGUF file.
    case notAModel(file: String)
    case json(file: String, JSONSyntaxError)
    case safetensors(file: String, SafetensorsError)
    case gguf(file: String, GGUFError)
    /// What a file states of the model is not supported, or contradicts itself.
    case configuration(file: String, reason: String)
    /// The index of a model in several files.
    case index(file: String, reason: String)
    case missingTensor(file: String, tensor: String, shape: [Int])
    case unexpectedTensor(file: String, tensor: String)
    case shape(file: String, tensor: String, expected: [Int], found: [Int])
    case type(file: String, tensor: String, found: String)
    /// The file is not what it was when it was opened.
    case changed(file: String, reason: String)
}

extension ModelFileError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .unreadable(let file, let error): "\(file) cannot be read: \(error)"
        case .notAModel(let file):
            "\(file) is no model; expected a GGUF file, or a folder with config.json and model.safetensors"
        case .json(let file, let error): "\(file) is not sound JSON: \(error)"
        case .safetensors(let file, let error): "\(file): \(error)"
        case .gguf(let file, let error): "\(file): \(error)"
        case .configuration(let file, let reason), .index(let file, let reason): "\(file): \(reason)"
        case .missingTensor(let file, let tensor, let shape):
            "\(file) lacks \(tensor), of shape \(shape)"
        case .unexpectedTensor(let file, let tensor):
            "\(file) has a tensor \(tensor), which a model of its kind does not have"
        case .shape(let file, let tensor, let expected, let found):
            "\(file): \(tensor) is of shape \(found); expected \(expected)"
        case .type(let file, let tensor, let found): "\(file): \(tensor) is \(found); expected F32, F16 or BF16"
        case .changed(let file, let reason): "\(file) changed while it was in use: \(reason)"
        }
    }
}
