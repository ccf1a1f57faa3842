/// Why a federation refuses an adapter; names the tensor, what was expected and what came.
package enum AdapterError: Error, Equatable, Sendable {
    case noModules
    /// A factor that has the name that another program gives it.
    case foreignName(ForeignName)
    /// The file has tensors, but none is a factor.
    case noFactor(tensor: String, expected: String)
    case duplicate(tensor: String)
    case mixedKinds(tensor: String)
    case otherKind(tensor: String, expected: String)
    case notAFactor(tensor: String, found: [Int])
    case ranksDiffer(tensor: String, rankOfA: Int, rankOfB: Int)
    case biasDiffers(tensor: String, outputs: Int, found: [Int])
    case notExperts(tensor: String, experts: Int, found: [Int])
    case missingFactor(tensor: String, module: String)
    case unexpectedBias(tensor: String)
    case unknownModule(tensor: String, module: String)
    case unknownDense(tensor: String)
    case shape(tensor: String, expected: [Int], found: [Int])
    case rankAboveGrant(tensor: String, granted: Int, found: Int)
    case rankNotFull(tensor: String, needed: Int, found: Int)
    case notFinite(tensor: String, count: Int)
    case tooLarge(tensor: String, limit: Float)
    case quantised(tensor: String, bits: MessageBits)
}

extension AdapterError {
    /// The tensor at fault, without PEFT's prefix.
    package var tensor: String? {
        switch self {
        case .noModules: nil
        case .foreignName(let name): name.tensor
        case .noFactor(let tensor, _), .duplicate(let tensor), .mixedKinds(let tensor), .otherKind(let tensor, _),
            .notAFactor(let tensor, _),
            .notExperts(let tensor, _, _), .ranksDiffer(let tensor, _, _), .biasDiffers(let tensor, _, _),
            .missingFactor(let tensor, _), .unexpectedBias(let tensor),
            .unknownModule(let tensor, _), .unknownDense(let tensor), .shape(let tensor, _, _),
            .rankAboveGrant(let tensor, _, _), .rankNotFull(let tensor, _, _), .notFinite(let tensor, _),
            .tooLarge(let tensor, _),
            .quantised(let tensor, _):
            tensor
        }
    }
}

extension AdapterError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .noModules: "the file holds no LoRA factor, so it adapts nothing"
        case .foreignName(let name): "\(name)"
        case .noFactor(let tensor, let expected):
            "\(tensor) came and no LoRA factor, so the file adapts nothing; expected one such as \(expected)"
        case .duplicate(let tensor): "\(tensor) appears twice, with and without the prefix \(TensorName.prefix)"
        case .mixedKinds(let tensor): "\(tensor) makes one module both an embedding and a layer"
        case .otherKind(let tensor, let expected): "\(tensor) came; this federation has \(expected) there"
        case .notAFactor(let tensor, let found): "\(tensor) is \(Self.sides(found)), which no LoRA factor is"
        case .notExperts(let tensor, let experts, let found):
            "\(tensor) is \(Self.sides(found)), which is no factor A of \(experts) experts: expected a matrix of "
                + "\(experts) · rank rows"
        case .ranksDiffer(let tensor, let rankOfA, let rankOfB):
            "\(tensor) has rank \(rankOfB), but its lora_A has rank \(rankOfA)"
        case .biasDiffers(let tensor, let outputs, let found):
            "\(tensor) is \(Self.sides(found)), but its lora_B has \(outputs) outputs"
        case .missingFactor(let tensor, let module): "\(tensor) is missing; \(module) needs it"
        case .unexpectedBias(let tensor): "\(tensor) came; this federation has no LoRA bias there"
        case .unknownModule(let tensor, let module): "\(tensor) came; this federation has no module \(module)"
        case .unknownDense(let tensor): "\(tensor) came; this federation has no such tensor"
        case .shape(let tensor, let expected, let found):
            "\(tensor) is \(Self.sides(found)); this federation has \(Self.sides(expected))"
        case .rankAboveGrant(let tensor, let granted, let found):
            "\(tensor) has rank \(found); the granted rank is \(granted)"
        case .rankNotFull(let tensor, let needed, let found):
            "\(tensor) has rank \(found); this federation's strategy needs rank \(needed) of every client"
        case .tooLarge(let tensor, let limit): "\(tensor) holds a number beyond ±\(limit)"
        case .notFinite(let tensor, let count):
            "\(tensor) holds \(count) \(count == 1 ? "value that is" : "values that are") not finite"
        case .quantised(let tensor, let bits):
            "\(tensor) is quantised to \(bits.rawValue) bits; this federation takes no such messages"
        }
    }

    private static func sides(_ shape: [Int]) -> String {
        shape.isEmpty ? "a single number" : shape.map(String.init).joined(separator: "×")
    }
}
