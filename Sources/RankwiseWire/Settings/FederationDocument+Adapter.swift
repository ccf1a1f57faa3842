extension FederationDocument {
    package struct Adapter: Codable, Sendable, Hashable {
        /// Required unless a template gives it.
        package var maxRank: Int?
        package var scaling: Scaling?
        package var dtype: String?
        package var modules: [String: Module]
        /// Tensors that are sent beside the factors, by name.
        package var dense: [String: Dense]
        /// 8 or 4 where messages may be quantised to this number of bits.
        package var messageBits: Int?
        /// Keys of PEFT's `adapter_config.json` that are published with the adapter.
        package var config: [String: JSONValue]
        /// Whether an uploaded adapter gives shapes, ranks, scaling and first values.
        package var template: Bool

        enum CodingKeys: String, CodingKey, CaseIterable {
            case scaling, dtype, modules, dense, config, template
            case maxRank = "max_rank"
            case messageBits = "message_bits"
        }

        package init(
            maxRank: Int? = nil, scaling: Scaling? = nil, dtype: String? = nil, modules: [String: Module],
            dense: [String: Dense] = [:], messageBits: Int? = nil, config: [String: JSONValue] = [:],
            template: Bool = false
        ) {
            self.maxRank = maxRank
            self.scaling = scaling
            self.dtype = dtype
            self.modules = modules
            self.dense = dense
            self.messageBits = messageBits
            self.config = config
            self.template = template
        }

        package init(from decoder: any Decoder) throws {
            let values = try decoder.knownKeys(CodingKeys.self)
            template = try values.value(.template, default: false)
            maxRank = try values.decodeIfPresent(Int.self, forKey: .maxRank)
            scaling = try values.decodeIfPresent(Scaling.self, forKey: .scaling)
            dtype = try values.decodeIfPresent(String.self, forKey: .dtype)
            dense = try values.value(.dense, default: [:])
            messageBits = try values.decodeIfPresent(Int.self, forKey: .messageBits)
            config = try values.value(.config, default: [:])
            guard !template else {
                modules = try values.value(.modules, default: [:])
                return
            }
            // Reported as missing where there is no template.
            _ = try values.decode(Int.self, forKey: .maxRank)
            modules = try values.decode([String: Module].self, forKey: .modules)
        }
    }

    /// `constant` uses `value`; `lora` and `rslora` use `alpha`.
    package struct Scaling: Codable, Sendable, Hashable {
        package var mode: String
        package var value: Double?
        package var alpha: Double?

        enum CodingKeys: String, CodingKey, CaseIterable { case mode, value, alpha }

        package init(mode: String = "constant", value: Double? = 1, alpha: Double? = nil) {
            self.mode = mode
            self.value = value
            self.alpha = alpha
        }

        package init(from decoder: any Decoder) throws {
            let values = try decoder.knownKeys(CodingKeys.self)
            mode = try values.decode(String.self, forKey: .mode)
            value = try values.decodeIfPresent(Double.self, forKey: .value)
            alpha = try values.decodeIfPresent(Double.self, forKey: .alpha)
        }
    }

    /// One adapted layer: a linear layer of `in` × `out`; a convolution if `kernel` (height, width) is given; an
    /// embedding if `embedding` is true; a parameter of `experts` linear layers.
    package struct Module: Codable, Sendable, Hashable {
        package var inputs: Int
        package var outputs: Int
        package var maxRank: Int?
        package var kernel: [Int]?
        package var embedding: Bool?
        /// Whether `lora_B` has a bias.
        package var bias: Bool?
        /// The module's own alpha, under lora and rslora scaling.
        package var alpha: Double?
        package var experts: Int?

        enum CodingKeys: String, CodingKey, CaseIterable {
            case kernel, embedding, bias, alpha, experts
            case inputs = "in"
            case outputs = "out"
            case maxRank = "max_rank"
        }

        package init(
            inputs: Int, outputs: Int, maxRank: Int? = nil, kernel: [Int]? = nil, embedding: Bool? = nil,
            bias: Bool? = nil, alpha: Double? = nil, experts: Int? = nil
        ) {
            self.inputs = inputs
            self.outputs = outputs
            self.maxRank = maxRank
            self.kernel = kernel
            self.embedding = embedding
            self.bias = bias
            self.alpha = alpha
            self.experts = experts
        }

        package init(from decoder: any Decoder) throws {
            let values = try decoder.knownKeys(CodingKeys.self)
            inputs = try values.decode(Int.self, forKey: .inputs)
            outputs = try values.decode(Int.self, forKey: .outputs)
            maxRank = try values.decodeIfPresent(Int.self, forKey: .maxRank)
            kernel = try values.decodeIfPresent([Int].self, forKey: .kernel)
            embedding = try values.decodeIfPresent(Bool.self, forKey: .embedding)
            bias = try values.decodeIfPresent(Bool.self, forKey: .bias)
            alpha = try values.decodeIfPresent(Double.self, forKey: .alpha)
            experts = try values.decodeIfPresent(Int.self, forKey: .experts)
        }
    }

    /// A tensor that is sent beside the factors: its shape, or its shape and its initial values.
    package struct Dense: Sendable, Hashable {
        package var shape: [Int]
        package var initial: InitialValues

        package init(shape: [Int], initial: InitialValues = .named("base")) {
            self.shape = shape
            self.initial = initial
        }
    }

    /// `base`, `zeros`, `ones`, or `{normal: σ}`.
    package enum InitialValues: Sendable, Hashable {
        case named(String)
        case normal(Double)
    }
}

extension FederationDocument.Dense: Codable {
    enum CodingKeys: String, CodingKey, CaseIterable {
        case shape
        case initial = "init"
    }

    package init(from decoder: any Decoder) throws {
        if let shape = try? decoder.singleValueContainer().decode([Int].self) {
            self.init(shape: shape)
            return
        }
        let values = try decoder.knownKeys(CodingKeys.self)
        self.init(
            shape: try values.decode([Int].self, forKey: .shape),
            initial: try values.value(.initial, default: .named("base")))
    }
}

extension FederationDocument.InitialValues: Codable {
    private enum CodingKeys: String, CodingKey, CaseIterable { case normal }

    package init(from decoder: any Decoder) throws {
        if let name = try? decoder.singleValueContainer().decode(String.self) {
            self = .named(name)
        } else {
            self = .normal(try decoder.knownKeys(CodingKeys.self).decode(Double.self, forKey: .normal))
        }
    }

    package func encode(to encoder: any Encoder) throws {
        switch self {
        case .named(let name):
            var container = encoder.singleValueContainer()
            try container.encode(name)
        case .normal(let deviation):
            var values = encoder.container(keyedBy: CodingKeys.self)
            try values.encode(deviation, forKey: .normal)
        }
    }
}
