import StrictJSON

/// The scale and kind of an adapter from mlx_lm's `adapter_config.json`; settings of training are ignored.
struct MLXConfig {
    var rank: Int?
    /// A plain factor. mlx_lm writes `alpha` until 0.22 and ignores it.
    var scale: Double?
    var dropout: Double?
    var isDoRA: Bool?

    /// - Returns: nil for a configuration that is not MLX's.
    init?(json: UnsafeRawBufferPointer) throws(ConversionError) {
        if let key = DuplicateName.find(in: json) { throw .configuration(key: key, reason: "appears twice") }
        var isMLX = false
        var scanner = JSONScanner(json)
        var type: String?
        do throws(JSONSyntaxError) {
            try scanner.beginObject()
            while let key = try scanner.nextName() {
                if try scanner.skipNull() { continue }
                switch key {
                case "fine_tune_type": type = try scanner.string()
                case "use_dora":
                    isDoRA = try scanner.bool()
                    continue
                case "lora_parameters":
                    try readParameters(&scanner)
                case "lora_layers", "num_layers": try scanner.skipValue()
                default:
                    try scanner.skipValue()
                    continue
                }
                isMLX = true
            }
            try scanner.finish()
        } catch {
            throw .configurationSyntax(error)
        }
        guard isMLX else { return nil }
        switch type {
        case "lora": isDoRA = false
        case "dora": isDoRA = true
        case nil: break
        case let type?:
            throw .configuration(key: "fine_tune_type", reason: "is \(type.jsonQuoted); expected lora or dora")
        }
        for (key, value) in [("lora_parameters.scale", scale), ("lora_parameters.dropout", dropout)] {
            if let value, value < 0 { throw .configuration(key: key, reason: "is \(value); expected 0 or more") }
        }
    }

    private mutating func readParameters(_ scanner: inout JSONScanner) throws(JSONSyntaxError) {
        try scanner.beginObject()
        while let key = try scanner.nextName() {
            switch key {
            case "rank": rank = try scanner.count()
            case "scale": scale = try scanner.number()
            case "dropout": dropout = try scanner.number()
            default: try scanner.skipValue()
            }
        }
    }
}
