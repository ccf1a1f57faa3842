/// The meaning of a tensor's name in PEFT's naming.
///
/// The prefix `base_model.model.` is always written. When names are read, it is optional.
package enum TensorName: Sendable, Hashable {
    /// `{module}.lora_A.weight`, or `{module}.lora_embedding_A`.
    case factorA(module: String, embedding: Bool)
    /// `{module}.lora_B.weight`, or `{module}.lora_embedding_B`.
    case factorB(module: String, embedding: Bool)
    /// `{module}.lora_B.bias`.
    case bias(module: String)
    /// Any other tensor: a head, a bias, a DoRA magnitude.
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

    /// Whether it names A or B of a module.
    var isFactor: Bool {
        switch self {
        case .factorA, .factorB: true
        case .bias, .dense: false
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

/// The parts of dense tensors' names.
extension TensorName {
    /// DoRA's magnitude of a module.
    package static let magnitude = ".lora_magnitude_vector"
    /// The bias of a module that PEFT has wrapped.
    package static let wrappedBias = ".base_layer.bias"
    /// The weight of an embedding that PEFT has wrapped and saves beside its factors.
    package static let wrappedWeight = ".base_layer.weight"
    /// The rows of an embedding that are trained (`trainable_token_indices`).
    package static let trainedTokens = ".token_adapter.trainable_tokens_delta"

    /// Why a tensor of this name cannot be averaged; nil where it can.
    package static func objection(toDense name: String) -> String? {
        guard let found = name.range(of: ".lora_") else { return nil }
        let part = name[found.lowerBound...]
        switch part {
        case magnitude[...]: return nil
        case ".lora_diag": return "belongs to KaSA, whose base is another at every rank; it cannot be averaged"
        default:
            return "is no tensor of LoRA that Rankwise knows (lora_A, lora_B, lora_embedding_A, lora_embedding_B, "
                + "lora_B.bias, lora_magnitude_vector)"
        }
    }

    /// The module whose bias has this name, in a model that is not wrapped.
    package static func module(ofBias name: String) -> String? {
        guard name.hasSuffix(".bias"), !name.hasSuffix(wrappedBias) else { return nil }
        return String(name.dropLast(".bias".count))
    }
}

extension StringProtocol {
    /// The first range of a text in this string.
    fileprivate func range(of text: String) -> Range<Index>? {
        var start = startIndex
        while start < endIndex {
            if self[start...].hasPrefix(text) { return start..<index(start, offsetBy: text.count) }
            start = index(after: start)
        }
        return nil
    }
}
