extension AdapterConfig {
    package static let byteLimit = 1 << 20

    /// Reads the JSON; keys that it does not know mean nothing here and are passed over.
    package init(json: UnsafeRawBufferPointer) throws(AdapterConfigError) {
        guard json.count <= Self.byteLimit else { throw .tooLong(bytes: json.count, limit: Self.byteLimit) }
        let fields: Fields
        do throws(JSONSyntaxError) { fields = try Fields(json) } catch { throw .syntax(error) }
        if let key = fields.duplicate { throw .duplicateKey(key) }
        if let type = fields.peftType, type.uppercased() != "LORA" { throw .notLoRA(type) }
        self.init()
        rank = fields.rank ?? rank
        alpha = fields.alpha ?? alpha
        usesRSLoRA = fields.usesRSLoRA
        usesDoRA = fields.usesDoRA
        hasLoRABias = fields.hasLoRABias
        targetModules = fields.targetModules
        modulesToSave = fields.modulesToSave
        baseModel = fields.baseModel
        guard rank > 0 else { throw .rank(key: "r") }
        for (key, value) in fields.ranks {
            guard value > 0 else { throw .rank(key: key) }
            rankRules.append(Rule(pattern: try Self.pattern(key), value: value))
        }
        for (key, value) in fields.alphas {
            alphaRules.append(Rule(pattern: try Self.pattern(key), value: value))
        }
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

/// The keys of the file that count, as they stand.
private struct Fields {
    var peftType: String?
    var rank: Int?
    var alpha: Double?
    var usesRSLoRA = false
    var usesDoRA = false
    var hasLoRABias = false
    var ranks: [(key: String, value: Int)] = []
    var alphas: [(key: String, value: Double)] = []
    var targetModules: [String] = []
    var modulesToSave: [String] = []
    var baseModel: String?
    /// The first key that comes twice, here or in a pattern.
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
            case "target_modules": targetModules = try strings(&scanner)
            case "modules_to_save": modulesToSave = try strings(&scanner)
            default: try scanner.skipValue()
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

    /// A list of strings, or the single string that PEFT takes for a regular expression.
    private func strings(_ scanner: inout JSONScanner) throws(JSONSyntaxError) -> [String] {
        if try scanner.peek(expecting: "a list") == UInt8(ascii: "\"") { return [try scanner.string()] }
        var strings: [String] = []
        try scanner.beginArray()
        while try scanner.nextElement() { strings.append(try scanner.string()) }
        return strings
    }
}
