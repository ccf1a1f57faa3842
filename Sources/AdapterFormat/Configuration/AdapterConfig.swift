package import StrictJSON

/// The contents of PEFT's `adapter_config.json`: ranks and scales as Swift values, everything else unchanged.
package struct AdapterConfig: Sendable, Hashable {
    /// Which modules PEFT adapts.
    package enum Targets: Sendable, Hashable {
        /// Every module whose path is one of these or ends in one of them.
        case names([String])
        /// Every module whose whole path matches the regular expression, or `all-linear`.
        case pattern(String)
    }

    package var rank: Int
    package var alpha: Double
    /// Whether the scale is alpha / √r and not alpha / r.
    package var usesRSLoRA: Bool
    package var rankRules: PatternRules<Int>
    package var alphaRules: PatternRules<Double>
    package var targets: Targets
    package var baseModel: String?
    package var hasLoRABias: Bool
    package var usesDoRA: Bool
    /// Every other key whose value is not null, as canonical JSON.
    package var further: [String: String]

    /// PEFT's defaults.
    package init() {
        rank = 8
        alpha = 8
        usesRSLoRA = false
        rankRules = .init()
        alphaRules = .init()
        targets = .names([])
        hasLoRABias = false
        usesDoRA = false
        further = [:]
    }

    package func rank(of module: String) -> Int { rankRules[module] ?? rank }
    package func alpha(of module: String) -> Double { alphaRules[module] ?? alpha }

    /// How scales follow from ranks, except for modules with their own alpha.
    package var scaling: Scaling { usesRSLoRA ? .rslora(alpha: alpha) : .lora(alpha: alpha) }

    /// The factor by which PEFT multiplies a module's product.
    package func scale(of module: String) -> Double {
        scaling.with(alpha: alpha(of: module)).scale(atRank: rank(of: module))
    }
}

/// Why Rankwise cannot read bytes as an `adapter_config.json`.
package enum AdapterConfigError: Error, Equatable, Sendable {
    case tooLong(bytes: Int, limit: Int)
    case syntax(JSONSyntaxError)
    case duplicateKey(String)
    case notLoRA(String)
    case rank(key: String)
    case tooManyPatterns(Int, limit: Int)
    case pattern(ModulePatternError)
}

extension AdapterConfigError {
    /// The key that caused the error, if it was a key.
    package var key: String? {
        switch self {
        case .tooLong, .syntax: nil
        case .duplicateKey(let key): key
        case .notLoRA: "peft_type"
        case .rank(let key): key == "r" ? key : "rank_pattern"
        case .tooManyPatterns, .pattern: "rank_pattern"
        }
    }
}

extension AdapterConfigError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .tooLong(let bytes, let limit): "the configuration is \(bytes) bytes long; at most \(limit) are read"
        case .syntax(let error): "the configuration is not sound JSON: \(error)"
        case .duplicateKey(let key): "the configuration has \(key.jsonQuoted) twice"
        case .notLoRA(let type): "the configuration is for \(type.jsonQuoted), not LORA"
        case .rank(let key): "the configuration gives \(key.jsonQuoted) a rank below 1"
        case .tooManyPatterns(let count, let limit):
            "the configuration has \(count) patterns with special characters; at most \(limit) are read"
        case .pattern(let error): "\(error)"
        }
    }
}
