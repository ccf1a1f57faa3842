import StrictJSON

extension AdapterConfig {
    /// A configuration with its own ranks for 18,432 modules takes a third of this.
    package static let byteLimit = 16 << 20

    /// Reads the JSON.
    package init(json: UnsafeRawBufferPointer) throws(AdapterConfigError) {
        guard json.count <= Self.byteLimit else { throw .tooLong(bytes: json.count, limit: Self.byteLimit) }
        let fields: Fields
        do throws(JSONSyntaxError) {
            fields = try Fields(json)
        } catch .duplicate(let name) {
            throw .duplicateKey(name)
        } catch {
            throw .syntax(error)
        }
        if let key = fields.duplicate { throw .duplicateKey(key) }
        if let type = fields.peftType, type.uppercased() != "LORA" { throw .notLoRA(type) }
        self.init()
        rank = fields.rank ?? rank
        alpha = fields.alpha ?? alpha
        usesRSLoRA = fields.usesRSLoRA
        usesDoRA = fields.usesDoRA
        hasLoRABias = fields.hasLoRABias
        targets = fields.targets
        baseModel = fields.baseModel
        further = fields.further
        guard rank > 0 else { throw .rank(key: "r") }
        for (key, value) in fields.ranks where value < 1 { throw .rank(key: key) }
        rankRules = try Self.rules(fields.ranks)
        alphaRules = try Self.rules(fields.alphas)
    }

    /// Every module is compared with every pattern that is no plain path.
    private static let patternLimit = 1024

    private static func rules<Value>(
        _ members: [(key: String, value: Value)]
    ) throws(AdapterConfigError) -> PatternRules<Value> {
        var list: [PatternRules<Value>.Rule] = []
        for (key, value) in members { list.append(.init(pattern: try pattern(key), value: value)) }
        let rules = PatternRules(list)
        guard rules.patternCount <= patternLimit else {
            throw .tooManyPatterns(rules.patternCount, limit: patternLimit)
        }
        return rules
    }

    package init(json: [UInt8]) throws(AdapterConfigError) {
        self = try json.withUnsafeBufferPointer { text throws(AdapterConfigError) in
            try AdapterConfig(json: UnsafeRawBufferPointer(text))
        }
    }

    private static func pattern(_ key: String) throws(AdapterConfigError) -> ModulePattern {
        do throws(ModulePatternError) { return try ModulePattern(key) } catch { throw .pattern(error) }
    }
}

/// The keys of the file, unchanged.
private struct Fields {
    var peftType: String?
    var rank: Int?
    var alpha: Double?
    var usesRSLoRA = false
    var usesDoRA = false
    var hasLoRABias = false
    var ranks: [(key: String, value: Int)] = []
    var alphas: [(key: String, value: Double)] = []
    var targets = AdapterConfig.Targets.names([])
    var baseModel: String?
    var further: [String: String] = [:]
    /// The first key that occurs twice, here or in a pattern.
    var duplicate: String?

    init(_ json: UnsafeRawBufferPointer) throws(JSONSyntaxError) {
        var scanner = JSONScanner(json)
        var keys: Set<String> = []
        try scanner.beginObject()
        while let key = try scanner.nextName() {
            if !keys.insert(key).inserted { duplicate = duplicate ?? key }
            if try scanner.skipNull() { continue }
            switch key {
            case "peft_type": peftType = try scanner.string()
            case "r": rank = try scanner.count()
            case "lora_alpha": alpha = try scanner.number()
            case "use_rslora": usesRSLoRA = try scanner.bool()
            case "use_dora": usesDoRA = try scanner.bool()
            case "lora_bias": hasLoRABias = try scanner.bool()
            case "base_model_name_or_path": baseModel = try scanner.string()
            case "rank_pattern":
                ranks = try members(&scanner) { scanner throws(JSONSyntaxError) in try scanner.count() }
            case "alpha_pattern":
                alphas = try members(&scanner) { scanner throws(JSONSyntaxError) in try scanner.number() }
            case "target_modules": targets = try Self.targets(&scanner)
            case _ where ConfigKey.unordered.contains(key):
                further[key] =
                    try Self.unordered(&scanner, names: key != "layers_to_transform")
            default: further[key] = try scanner.canonicalValue()
            }
        }
        try scanner.finish()
    }

    private mutating func members<Value>(
        _ scanner: inout JSONScanner, _ value: (inout JSONScanner) throws(JSONSyntaxError) -> Value
    ) throws(JSONSyntaxError) -> [(key: String, value: Value)] {
        var members: [(key: String, value: Value)] = []
        var keys: Set<String> = []
        try scanner.beginObject()
        while let key = try scanner.nextName() {
            if !keys.insert(key).inserted { duplicate = duplicate ?? key }
            members.append((key, try value(&scanner)))
        }
        return members
    }

    /// A list without a meaningful order, sorted; any other value unchanged.
    private static func unordered(
        _ scanner: inout JSONScanner, names: Bool
    ) throws(JSONSyntaxError) -> String {
        guard try scanner.peek(expecting: "a value") == UInt8(ascii: "[") else { return try scanner.canonicalValue() }
        var elements: [String] = []
        try scanner.beginArray()
        while try scanner.nextElement() {
            elements.append(names ? try scanner.string().jsonQuoted : try scanner.canonicalValue())
        }
        return "[" + elements.sorted { $0.precedes($1) }.joined(separator: ",") + "]"
    }

    private static func targets(_ scanner: inout JSONScanner) throws(JSONSyntaxError) -> AdapterConfig.Targets {
        if try scanner.peek(expecting: "a list") == UInt8(ascii: "\"") { return .pattern(try scanner.string()) }
        var names: [String] = []
        try scanner.beginArray()
        while try scanner.nextElement() { names.append(try scanner.string()) }
        return .names(names)
    }
}
