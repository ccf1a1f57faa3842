/// What a tensor's name says about it, in the names that PEFT gives.
///
/// The prefix `base_model.model.` is written always and read where it stands; names without it are taken as they are.
package enum TensorName: Sendable, Hashable {
    /// `{module}.lora_A.weight`, or `{module}.lora_embedding_A`.
    case factorA(module: String, embedding: Bool)
    /// `{module}.lora_B.weight`, or `{module}.lora_embedding_B`.
    case factorB(module: String, embedding: Bool)
    /// `{module}.lora_B.bias`.
    case bias(module: String)
    /// Anything else: a head of its own, a bias, a DoRA magnitude.
    case dense(String)

    package static let prefix = "base_model.model."

    package init(parsing name: String) {
        let bare = name.hasPrefix(Self.prefix) ? String(name.dropFirst(Self.prefix.count)) : name
        func module(before suffix: String) -> String? {
            bare.hasSuffix(suffix) && bare.utf8.count > suffix.utf8.count
                ? String(bare.dropLast(suffix.count)) : nil
        }
        if let module = module(before: ".lora_A.weight") {
            self = .factorA(module: module, embedding: false)
        } else if let module = module(before: ".lora_B.weight") {
            self = .factorB(module: module, embedding: false)
        } else if let module = module(before: ".lora_embedding_A") {
            self = .factorA(module: module, embedding: true)
        } else if let module = module(before: ".lora_embedding_B") {
            self = .factorB(module: module, embedding: true)
        } else if let module = module(before: ".lora_B.bias") {
            self = .bias(module: module)
        } else {
            self = .dense(bare)
        }
    }

    /// The name without the prefix, as errors and people use it.
    package var bare: String {
        switch self {
        case .factorA(let module, let embedding): module + (embedding ? ".lora_embedding_A" : ".lora_A.weight")
        case .factorB(let module, let embedding): module + (embedding ? ".lora_embedding_B" : ".lora_B.weight")
        case .bias(let module): module + ".lora_B.bias"
        case .dense(let name): name
        }
    }

    /// The name that PEFT reads.
    package var peft: String { Self.prefix + bare }
}
