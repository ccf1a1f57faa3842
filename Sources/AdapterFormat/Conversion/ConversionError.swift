package import StrictJSON

/// Why a file with another program's names cannot become an adapter of PEFT's; names the tensor and what was expected.
package enum ConversionError: Error, Equatable, Sendable {
    /// Every tensor has PEFT's name already.
    case nothingToConvert
    case noFactor(tensor: String)
    /// The file has no tensor.
    case empty
    case mixed(tensor: String, ForeignName.Convention, beside: ForeignName.Convention)
    /// A tensor that has no meaning beside factors of this convention.
    case unknownTensor(String, ForeignName.Convention)
    case unsupported(tensor: String, reason: String)
    case missing(part: String, beside: String)
    case shape(tensor: String, found: [Int], expected: String)
    case duplicate(tensor: String, other: String, name: String)
    case unknownModule(tensor: String, reason: String)
    case ambiguousModule(tensor: String, [String])
    case alpha(tensor: String, reason: String)
    /// Neither the file nor a configuration beside it gives the scale.
    case scaleUnknown(ForeignName.Convention)
    /// The caller gave an alpha, but the file or its configuration has one already.
    case scaleKnown(where: String)
    case configuration(key: String, reason: String)
    case configurationSyntax(JSONSyntaxError)
    case config(AdapterConfigError)
    case model(file: String, reason: String)
    case shapes(AdapterShapeError)
}

extension ConversionError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .nothingToConvert: "its tensors have PEFT's names already; there is nothing to convert"
        case .empty: "it holds no tensor"
        case .noFactor(let tensor):
            "\(tensor) came and no LoRA factor; expected names of PEFT's model in memory, MLX, kohya's scripts, diffusers, "
                + "loralib or torchtune"
        case .mixed(let tensor, let convention, let other):
            "\(tensor) has a name of \(convention), and others have names of \(other); expected those of one program"
        case .unknownTensor(let tensor, let convention):
            "\(tensor) is no part of a LoRA module under the names of \(convention)"
        case .unsupported(let tensor, let reason): "\(tensor) cannot be carried: \(reason)"
        case .missing(let part, let beside): "\(part) is missing beside \(beside)"
        case .shape(let tensor, let found, let expected):
            "\(tensor) is \(found.isEmpty ? "a single number" : found.map(String.init).joined(separator: "×")); "
                + "expected \(expected)"
        case .duplicate(let tensor, let other, let name): "\(tensor) and \(other) both stand for \(name)"
        case .unknownModule(let tensor, let reason): "\(tensor) is of a module that \(reason)"
        case .ambiguousModule(let tensor, let modules):
            "\(tensor) may be of \(modules.joined(separator: " or of ")); give --modules FILE with the base model's names"
        case .alpha(let tensor, let reason): "\(tensor) \(reason)"
        case .scaleUnknown(let convention):
            "names of \(convention) say nothing of lora_alpha, and there is no adapter_config.json beside them; give "
                + "--alpha NUMBER"
        case .scaleKnown(let place): "--alpha was given, and \(place) says the alpha already"
        case .configuration(let key, let reason): "adapter_config.json: \(key) \(reason)"
        case .configurationSyntax(let error): "adapter_config.json is not sound JSON: \(error)"
        case .config(let error): "adapter_config.json: \(error)"
        case .model(let file, let reason): "--modules \(file): \(reason)"
        case .shapes(let error): "\(error)"
        }
    }
}
