/// One fine-tuning task: base model, adapter shape, strategy and round policy, checked by `validate()`.
package struct FederationSettings: Sendable, Codable, Hashable {
    package var id: FederationID
    package var baseModel: BaseModel
    package var adapter: Adapter
    package var strategy: Strategy
    package var server: Server
    package var policy: RoundPolicy
    package var limits: Limits
    /// A JSON object that clients get as it is.
    package var training: String
    /// Draws the initial adapter and the selection.
    package var seed: UInt64

    enum CodingKeys: String, CodingKey {
        case id, baseModel, adapter, strategy, server, policy, limits, training, seed
    }

    package init(
        id: FederationID, baseModel: BaseModel, adapter: Adapter, strategy: Strategy, server: Server = Server(),
        policy: RoundPolicy, limits: Limits, training: String, seed: UInt64
    ) {
        self.id = id
        self.baseModel = baseModel
        self.adapter = adapter
        self.strategy = strategy
        self.server = server
        self.policy = policy
        self.limits = limits
        self.training = training
        self.seed = seed
    }
}

extension FederationSettings {
    /// The frozen model that every client adapts.
    package struct BaseModel: Sendable, Codable, Hashable {
        package var name: String
        package var seed: UInt64?
        package var sha256: ContentDigest?

        package init(name: String, seed: UInt64?, sha256: ContentDigest?) {
            self.name = name
            self.seed = seed
            self.sha256 = sha256
        }
    }

    /// The shape of the global adapter.
    package struct Adapter: Sendable, Codable, Hashable {
        package var maximumRank: Int
        package var scaling: Scaling
        package var elementType: ElementType
        package var modules: [String: Module]
        /// Tensors that travel beside the factors: name → shape.
        package var dense: [String: [Int]]
        /// How many bits a number in a message may have; nil where messages are not quantised.
        package var messageBits: Int?

        package init(
            maximumRank: Int, scaling: Scaling, elementType: ElementType, modules: [String: Module],
            dense: [String: [Int]], messageBits: Int? = nil
        ) {
            self.maximumRank = maximumRank
            self.scaling = scaling
            self.elementType = elementType
            self.modules = modules
            self.dense = dense
            self.messageBits = messageBits
        }
    }

    /// How the scale s of a module follows from its rank r.
    package enum Scaling: Sendable, Codable, Hashable {
        /// s is the same at every rank.
        case constant(Double)
        /// s = alpha / r.
        case lora(alpha: Double)
        /// s = alpha / √r.
        case rslora(alpha: Double)
    }

    package enum ElementType: String, Sendable, Codable, CaseIterable {
        case float32 = "F32"
        case float16 = "F16"
        case bfloat16 = "BF16"
    }

    /// One adapted layer: W is (outputs × inputs).
    package struct Module: Sendable, Codable, Hashable {
        package enum Kind: Sendable, Codable, Hashable {
            case linear
            /// A is (rank × inputs × height × width), B (outputs × rank × 1 × 1).
            case convolution(height: Int, width: Int)
            case embedding
        }

        package var kind: Kind
        package var inputs: Int
        package var outputs: Int
        /// R_m; the federation's maximum rank where it is nil.
        package var maximumRank: Int?
        /// Whether B has a bias.
        package var bias: Bool

        package init(kind: Kind, inputs: Int, outputs: Int, maximumRank: Int?, bias: Bool) {
            self.kind = kind
            self.inputs = inputs
            self.outputs = outputs
            self.maximumRank = maximumRank
            self.bias = bias
        }
    }

    /// Bounds on what clients may send.
    package struct Limits: Sendable, Codable, Hashable {
        package var clients: Int
        package var samples: Int
        /// The largest norm of an update.
        package var norm: Double?
        /// The largest norm of an update relative to the median of its round.
        package var normOverMedian: Double?

        package init(clients: Int, samples: Int, norm: Double? = nil, normOverMedian: Double? = nil) {
            self.clients = clients
            self.samples = samples
            self.norm = norm
            self.normOverMedian = normOverMedian
        }

        /// Whether updates have to be measured.
        package var needNorms: Bool { norm != nil || normOverMedian != nil }
    }
}

extension FederationSettings.Adapter {
    /// The ranks that a client of rank `rank` holds: r_m = max(1, round(r·R_m / R)), halves up.
    ///
    /// A rank above the federation's maximum counts as the maximum.
    package func ranks(forClientRank rank: Int) -> [String: Int] {
        modules.mapValues { module in
            let top = module.maximumRank ?? maximumRank
            return max(1, (2 * min(rank, maximumRank) * top + maximumRank) / (2 * maximumRank))
        }
    }

    /// R_m of every module.
    package var maximumRanks: [String: Int] { modules.mapValues { $0.maximumRank ?? maximumRank } }
}
