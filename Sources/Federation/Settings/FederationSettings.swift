/// One fine-tuning task: base model, adapter shape, strategy and round policy, checked by `validate()`.
package struct FederationSettings: Sendable, Codable, Hashable {
    package var id: FederationID
    package var baseModel: BaseModel
    package var adapter: Adapter
    package var strategy: Strategy
    package var server: Server
    /// What withstands wrong or hostile updates; nil for nothing.
    package var robust: Robust?
    package var policy: RoundPolicy
    package var limits: Limits
    /// Which rounds' adapters are kept; nil for all.
    package var retention: Retention?
    /// How clients score published adapters; nil where they do not.
    package var evaluation: EvaluationPolicy?
    /// A JSON object that clients receive unchanged.
    package var training: String
    /// The seed of the initial adapter and of the selection.
    package var seed: UInt64
    /// The federation of another server of which this one is a region; nil for a federation of its own.
    package var upstream: Upstream?

    enum CodingKeys: String, CodingKey {
        case id, baseModel, adapter, strategy, server, robust, policy, limits, retention, training, seed, upstream
        case evaluation
    }

    package init(
        id: FederationID, baseModel: BaseModel, adapter: Adapter, strategy: Strategy, server: Server = Server(),
        robust: Robust? = nil, policy: RoundPolicy, limits: Limits, retention: Retention? = nil, training: String,
        seed: UInt64, upstream: Upstream? = nil, evaluation: EvaluationPolicy? = nil
    ) {
        self.id = id
        self.baseModel = baseModel
        self.adapter = adapter
        self.strategy = strategy
        self.server = server
        self.robust = robust
        self.policy = policy
        self.limits = limits
        self.retention = retention
        self.training = training
        self.seed = seed
        self.upstream = upstream
        self.evaluation = evaluation
    }
}

extension FederationSettings {
    /// What a region must know of the root: the server that publishes the rounds.
    package struct Upstream: Sendable, Codable, Hashable {
        /// How many updates a round of the root can take. It bounds the numbers of each update.
        package var mostUpdates: Int

        package init(mostUpdates: Int) { self.mostUpdates = mostUpdates }
    }

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
        enum CodingKeys: String, CodingKey {
            case maximumRank, scaling, elementType, modules, dense, messageBits, config, template
        }

        /// 0 while the template is missing.
        package var maximumRank: Int
        package var scaling: Scaling
        package var elementType: ElementType
        /// Empty while the template is missing.
        package var modules: [String: Module]
        /// Tensors that travel beside the factors, by name.
        package var dense: [String: Dense]
        /// The bits of each number in a message; nil where messages are not quantised.
        package var messageBits: Int?
        /// Keys of PEFT's `adapter_config.json` that travel with the adapter, as canonical JSON.
        package var config: [String: String]
        /// The template; nil where the settings themselves give the shape.
        package var template: Template?

        package init(
            maximumRank: Int, scaling: Scaling, elementType: ElementType, modules: [String: Module],
            dense: [String: Dense], messageBits: Int? = nil, config: [String: String] = [:], template: Template? = nil
        ) {
            self.maximumRank = maximumRank
            self.scaling = scaling
            self.elementType = elementType
            self.modules = modules
            self.dense = dense
            self.messageBits = messageBits
            self.config = config
            self.template = template
        }
    }

    /// An adapter that gives a federation its shape and first values.
    package struct Template: Sendable, Codable, Hashable {
        /// Whether the adapter has arrived.
        package var isComplete: Bool
        /// Whether the settings also give this value, which the template must then match; the same for the next two.
        package var givesMaximumRank: Bool
        package var givesScaling: Bool
        package var givesElementType: Bool
        /// The digest of the adapter's file, once it is complete.
        package var digest: ContentDigest?
        package var byteCount: Int?

        package init(
            isComplete: Bool = false, givesMaximumRank: Bool = false, givesScaling: Bool = false,
            givesElementType: Bool = false
        ) {
            self.isComplete = isComplete
            self.givesMaximumRank = givesMaximumRank
            self.givesScaling = givesScaling
            self.givesElementType = givesElementType
        }
    }

    /// A tensor that travels beside the factors.
    package struct Dense: Sendable, Codable, Hashable {
        enum CodingKeys: String, CodingKey { case shape, initial }

        package var shape: [Int]
        package var initial: InitialValues

        package init(shape: [Int], initial: InitialValues = .base) {
            self.shape = shape
            self.initial = initial
        }
    }

    /// The values of a dense tensor in version 0.
    package enum InitialValues: Sendable, Codable, Hashable {
        /// None: every client begins with its own model's values.
        case base
        case zeros
        case ones
        /// Normally distributed with this standard deviation.
        case normal(Double)
        /// The template's values.
        case template
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

    /// The type of the published adapter's numbers.
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
            /// A parameter of this many experts, each with its own factors, packed as in PEFT.
            case experts(count: Int)
        }

        package var kind: Kind
        package var inputs: Int
        package var outputs: Int
        /// R_m; nil for the federation's maximum rank.
        package var maximumRank: Int?
        /// Whether B has a bias.
        package var bias: Bool
        /// The module's own alpha; nil for the scaling's.
        package var alpha: Double?

        package init(
            kind: Kind, inputs: Int, outputs: Int, maximumRank: Int?, bias: Bool, alpha: Double? = nil
        ) {
            self.kind = kind
            self.inputs = inputs
            self.outputs = outputs
            self.maximumRank = maximumRank
            self.bias = bias
            self.alpha = alpha
        }
    }

    /// Limits on what clients may send.
    package struct Limits: Sendable, Codable, Hashable {
        package var clients: Int
        package var samples: Int
        /// The largest norm of an update.
        package var norm: Double?
        /// The largest norm of an update relative to the median of its round.
        package var normOverMedian: Double?
        /// The largest size of a factor's entries relative to the median of its round (`FactorSizes`).
        package var factorOverMedian: Double?

        package static let standardFactorOverMedian = 30.0

        package init(
            clients: Int, samples: Int, norm: Double? = nil, normOverMedian: Double? = nil,
            factorOverMedian: Double? = standardFactorOverMedian
        ) {
            self.clients = clients
            self.samples = samples
            self.norm = norm
            self.normOverMedian = normOverMedian
            self.factorOverMedian = factorOverMedian
        }

        /// Whether the norms of updates must be measured.
        package var needNorms: Bool { norm != nil || normOverMedian != nil }
    }
}

extension FederationSettings.Adapter {
    /// The ranks of a client of rank `rank`: r_m = max(1, round(r·R_m / R)), halves up.
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
