import StrictJSON

/// Reads the keys of a `config.json`; an error names the key, what was expected and what came.
struct ConfigReader {
    let file: String
    private let document: JSONNode
    /// The path of an inner object, with a dot at its end.
    private let prefix: String

    init(_ document: JSONNode, file: String, prefix: String = "") {
        self.document = document
        self.file = file
        self.prefix = prefix
    }

    subscript(key: String) -> JSONNode? { document[key] }

    private func refusal(_ key: String, expected: String) -> ModelFileError {
        let found = document[key]?.summary ?? "missing"
        return .configuration(file: file, reason: "\(prefix)\(key) is \(found); expected \(expected)")
    }

    func text(_ key: String) throws(ModelFileError) -> String? {
        guard let value = document[key] else { return nil }
        guard case .string(let text) = value else { throw refusal(key, expected: "a string") }
        return text
    }

    func flag(_ key: String) throws(ModelFileError) -> Bool? {
        guard let value = document[key] else { return nil }
        guard case .bool(let flag) = value else { throw refusal(key, expected: "true or false") }
        return flag
    }

    func number(_ key: String) throws(ModelFileError) -> Double? {
        guard let value = document[key] else { return nil }
        guard case .number(let number) = value else { throw refusal(key, expected: "a number") }
        return number
    }

    /// A whole number from 1.
    func count(_ key: String) throws(ModelFileError) -> Int? {
        guard let value = document[key] else { return nil }
        guard case .number(let number) = value, let count = Int(exactly: number), 1...(1 << 32) ~= count else {
            throw refusal(key, expected: "a whole number from 1")
        }
        return count
    }

    func required(_ key: String) throws(ModelFileError) -> Int {
        guard let count = try count(key) else { throw refusal(key, expected: "a whole number from 1") }
        return count
    }

    /// A number above 0.
    func positive(_ key: String) throws(ModelFileError) -> Double? {
        guard let number = try number(key) else { return nil }
        guard number > 0 else { throw refusal(key, expected: "a number above 0") }
        return number
    }

    /// Checks a key that has one supported value, which is also its default.
    func expect(_ key: String, _ expected: String) throws(ModelFileError) {
        if let found = try text(key), found != expected { throw refusal(key, expected: expected.jsonQuoted) }
    }

    /// Token ids: one, or an array of some.
    func tokens(_ key: String) -> [Int] {
        let nodes: [JSONNode]
        if case .array(let elements)? = document[key] { nodes = elements } else { nodes = [document[key] ?? .null] }
        return nodes.compactMap { node in
            if case .number(let number) = node, let id = Int(exactly: number), id >= 0 { id } else { nil }
        }
    }

    func refuse(_ key: String, reason: String) throws(ModelFileError) {
        guard document[key] == nil else {
            throw .configuration(file: file, reason: "it has \(prefix)\(key): \(reason)")
        }
    }
}

extension ConfigReader {
    /// The rotary embedding: `rope_theta` with `rope_scaling`, or `rope_parameters` as transformers 5 writes it.
    func rotary(headWidth: Int, context: Int) throws(ModelFileError) -> RotaryEmbedding {
        let key = document["rope_parameters"] == nil ? "rope_scaling" : "rope_parameters"
        let inner = ConfigReader(document[key] ?? .object([:]), file: file, prefix: key + ".")
        let own = try positive("rope_theta")
        let base = try inner.positive("rope_theta") ?? own ?? 10_000
        try expectWholeHead()
        try inner.expectWholeHead()
        return RotaryEmbedding(
            base: base, headWidth: headWidth, scaling: try inner.scaling(context: context))
    }

    private func expectWholeHead() throws(ModelFileError) {
        if let part = try number("partial_rotary_factor"), part != 1 {
            throw refusal("partial_rotary_factor", expected: "1")
        }
    }

    private func scaling(context: Int) throws(ModelFileError) -> RotaryEmbedding.Scaling {
        func required(_ key: String) throws(ModelFileError) -> Double {
            guard let value = try positive(key) else { throw refusal(key, expected: "a number above 0") }
            return value
        }
        let typeKey = document["rope_type"] == nil ? "type" : "rope_type"
        switch try text(typeKey) ?? "default" {
        // "dynamic" differs from the default only beyond the context.
        case "default", "dynamic": return .none
        case "linear": return .linear(factor: try required("factor"))
        case "llama3":
            let (low, high) = (try required("low_freq_factor"), try required("high_freq_factor"))
            guard low < high else {
                throw refusal("high_freq_factor", expected: "more than low_freq_factor, which is \(low)")
            }
            return .llama3(
                factor: try required("factor"), low: low, high: high,
                context: try required("original_max_position_embeddings"))
        case "yarn":
            let factor = try required("factor")
            return .yarn(
                factor: factor, fast: try positive("beta_fast") ?? 32, slow: try positive("beta_slow") ?? 1,
                context: try positive("original_max_position_embeddings") ?? Double(context),
                truncates: try flag("truncate") ?? true, magnitude: try yarnMagnitude(factor))
        default: throw refusal(typeKey, expected: "\"default\", \"linear\", \"dynamic\", \"llama3\" or \"yarn\"")
        }
    }

    private func yarnMagnitude(_ factor: Double) throws(ModelFileError) -> Double? {
        if let given = try positive("attention_factor") { return given }
        guard let scale = try number("mscale"), let all = try number("mscale_all_dim"), scale != 0, all != 0 else {
            return nil
        }
        return RotaryEmbedding.yarnMagnitude(factor, scale: scale)
            / RotaryEmbedding.yarnMagnitude(factor, scale: all)
    }
}
