/// The settings of a federation, as YAML in `Config/` or as JSON over HTTP.
package struct FederationDocument: Codable, Sendable, Hashable {
    package var id: String
    package var baseModel: BaseModel
    package var adapter: Adapter
    package var strategy: Strategy
    package var server: Server
    package var round: Round
    package var limits: Limits
    /// Passed to the clients as it is; trainers give its keys their meaning.
    package var training: [String: JSONValue]
    package var seed: UInt64

    enum CodingKeys: String, CodingKey, CaseIterable {
        case id, adapter, strategy, server, round, limits, training, seed
        case baseModel = "base_model"
    }

    package init(from decoder: any Decoder) throws {
        let values = try decoder.knownKeys(CodingKeys.self)
        id = try values.decode(String.self, forKey: .id)
        baseModel = try values.decode(BaseModel.self, forKey: .baseModel)
        adapter = try values.decode(Adapter.self, forKey: .adapter)
        strategy = try values.value(.strategy, default: Strategy())
        server = try values.value(.server, default: Server())
        round = try values.value(.round, default: Round())
        limits = try values.value(.limits, default: Limits())
        training = try values.value(.training, default: [:])
        seed = try values.value(.seed, default: 0)
    }

    package init(
        id: String, baseModel: BaseModel, adapter: Adapter, strategy: Strategy = Strategy(), server: Server = Server(),
        round: Round = Round(), limits: Limits = Limits(), training: [String: JSONValue] = [:], seed: UInt64 = 0
    ) {
        self.id = id
        self.baseModel = baseModel
        self.adapter = adapter
        self.strategy = strategy
        self.server = server
        self.round = round
        self.limits = limits
        self.training = training
        self.seed = seed
    }
}

extension FederationDocument {
    /// The frozen model that every client adapts.
    package struct BaseModel: Codable, Sendable, Hashable {
        package var name: String
        /// Draws the weights of the models that the native trainer builds by name.
        package var seed: UInt64?
        package var sha256: String?

        enum CodingKeys: String, CodingKey, CaseIterable { case name, seed, sha256 }

        package init(name: String, seed: UInt64? = nil, sha256: String? = nil) {
            self.name = name
            self.seed = seed
            self.sha256 = sha256
        }

        package init(from decoder: any Decoder) throws {
            let values = try decoder.knownKeys(CodingKeys.self)
            name = try values.decode(String.self, forKey: .name)
            seed = try values.decodeIfPresent(UInt64.self, forKey: .seed)
            sha256 = try values.decodeIfPresent(String.self, forKey: .sha256)
        }
    }

    package struct Adapter: Codable, Sendable, Hashable {
        package var maxRank: Int
        package var scaling: Scaling
        package var dtype: String
        package var modules: [String: Module]
        /// Tensors that travel beside the factors: name → shape.
        package var dense: [String: [Int]]
        /// 8 or 4 where messages may be quantised to so many bits.
        package var messageBits: Int?

        enum CodingKeys: String, CodingKey, CaseIterable {
            case scaling, dtype, modules, dense
            case maxRank = "max_rank"
            case messageBits = "message_bits"
        }

        package init(
            maxRank: Int, scaling: Scaling = Scaling(), dtype: String = "F32", modules: [String: Module],
            dense: [String: [Int]] = [:], messageBits: Int? = nil
        ) {
            self.maxRank = maxRank
            self.scaling = scaling
            self.dtype = dtype
            self.modules = modules
            self.dense = dense
            self.messageBits = messageBits
        }

        package init(from decoder: any Decoder) throws {
            let values = try decoder.knownKeys(CodingKeys.self)
            maxRank = try values.decode(Int.self, forKey: .maxRank)
            scaling = try values.value(.scaling, default: Scaling())
            dtype = try values.value(.dtype, default: "F32")
            modules = try values.decode([String: Module].self, forKey: .modules)
            dense = try values.value(.dense, default: [:])
            messageBits = try values.decodeIfPresent(Int.self, forKey: .messageBits)
        }
    }

    /// `constant` takes `value`; `lora` and `rslora` take `alpha`.
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

    /// One adapted layer: a linear layer of `in` × `out`; a convolution where `kernel` (height, width) is given; an
    /// embedding where `embedding` is true.
    package struct Module: Codable, Sendable, Hashable {
        package var inputs: Int
        package var outputs: Int
        package var maxRank: Int?
        package var kernel: [Int]?
        package var embedding: Bool?
        /// Whether `lora_B` has a bias.
        package var bias: Bool?

        enum CodingKeys: String, CodingKey, CaseIterable {
            case kernel, embedding, bias
            case inputs = "in"
            case outputs = "out"
            case maxRank = "max_rank"
        }

        package init(
            inputs: Int, outputs: Int, maxRank: Int? = nil, kernel: [Int]? = nil, embedding: Bool? = nil,
            bias: Bool? = nil
        ) {
            self.inputs = inputs
            self.outputs = outputs
            self.maxRank = maxRank
            self.kernel = kernel
            self.embedding = embedding
            self.bias = bias
        }

        package init(from decoder: any Decoder) throws {
            let values = try decoder.knownKeys(CodingKeys.self)
            inputs = try values.decode(Int.self, forKey: .inputs)
            outputs = try values.decode(Int.self, forKey: .outputs)
            maxRank = try values.decodeIfPresent(Int.self, forKey: .maxRank)
            kernel = try values.decodeIfPresent([Int].self, forKey: .kernel)
            embedding = try values.decodeIfPresent(Bool.self, forKey: .embedding)
            bias = try values.decodeIfPresent(Bool.self, forKey: .bias)
        }
    }
}
