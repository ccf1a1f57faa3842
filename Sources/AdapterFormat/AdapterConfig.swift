/// What PEFT's `adapter_config.json` says about ranks and scales, and enough of the rest for PEFT to load the folder.
package struct AdapterConfig: Sendable, Hashable {
    /// A rank or alpha for the modules that a pattern stands for.
    package struct Rule<Value: Sendable & Hashable>: Sendable, Hashable {
        package let pattern: ModulePattern
        package let value: Value

        package init(pattern: ModulePattern, value: Value) {
            self.pattern = pattern
            self.value = value
        }
    }

    package var rank: Int
    package var alpha: Double
    /// Whether the scale is alpha / √r and not alpha / r.
    package var usesRSLoRA: Bool
    /// The first rule that stands for a module counts, as in PEFT.
    package var rankRules: [Rule<Int>]
    package var alphaRules: [Rule<Double>]
    package var targetModules: [String]
    package var modulesToSave: [String]
    package var baseModel: String?
    package var hasLoRABias: Bool
    package var usesDoRA: Bool

    /// PEFT's defaults.
    package init() {
        rank = 8
        alpha = 8
        usesRSLoRA = false
        rankRules = []
        alphaRules = []
        targetModules = []
        modulesToSave = []
        hasLoRABias = false
        usesDoRA = false
    }

    package func rank(of module: String) -> Int {
        rankRules.first { $0.pattern.matches(module) }?.value ?? rank
    }

    package func alpha(of module: String) -> Double {
        alphaRules.first { $0.pattern.matches(module) }?.value ?? alpha
    }

    /// What PEFT multiplies a module's product by.
    package func scale(of module: String) -> Double {
        let scaling: Scaling = usesRSLoRA ? .rslora(alpha: alpha(of: module)) : .lora(alpha: alpha(of: module))
        return scaling.scale(atRank: rank(of: module))
    }
}

/// Why bytes are not an `adapter_config.json` that Rankwise reads.
package enum AdapterConfigError: Error, Equatable, Sendable {
    case tooLong(bytes: Int, limit: Int)
    case syntax(JSONSyntaxError)
    case duplicateKey(String)
    case notLoRA(String)
    case rank(key: String)
    case pattern(ModulePatternError)
}

extension AdapterConfigError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .tooLong(let bytes, let limit): "the configuration is \(bytes) bytes long; at most \(limit) are read"
        case .syntax(let error): "the configuration is not sound JSON: \(error)"
        case .duplicateKey(let key): "the configuration has \(key.jsonQuoted) twice"
        case .notLoRA(let type): "the configuration is for \(type.jsonQuoted), not LORA"
        case .rank(let key): "the configuration gives \(key.jsonQuoted) a rank below 1"
        case .pattern(let error): "\(error)"
        }
    }
}
