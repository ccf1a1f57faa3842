/// One fine-tuning task: base model, adapter shape, strategy and round policy, checked by `validate()`.
package struct FederationSettings: Sendable, Codable, Hashable {
    package var id: FederationID
    package var baseModel: BaseModel
    package var adapter: Adapter
    package var strategy: Strategy
    package var server: Server
    package var policy: RoundPolicy
    package var limits: Limits
    /// Which rounds' adapters are kept; nil for all.
    package var retention: Retention?
    /// A JSON object that clients get as it is.
    package var training: String
    /// Draws the initial adapter and the selection.
    package var seed: UInt64

    enum CodingKeys: String, CodingKey {
        case id, baseModel, adapter, strategy, server, policy, limits, retention, training, seed
    }

    package init(
        id: FederationID, baseModel: BaseModel, adapter: Adapter, strategy: Strategy, server: Server = Server(),
        policy: RoundPolicy, limits: Limits, retention: Retention? = nil, training: String, seed: UInt64
    ) {
        self.id = id
        self.baseModel = baseModel
        self.adapter = adapter
        self.strategy = strategy
        self.server = server
        self.policy = policy
        self.limits = limits
        self.retention = retention
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
        enum CodingKeys: String, CodingKey {
            case maximumRank, scaling, elementType, modules, dense, messageBits, config, template
        }

        /// 0 while it is to come from a template.
        package var maximumRank: Int
        package var scaling: Scaling
        package var elementType: ElementType
        /// Empty while they are to come from a template.
        package var modules: [String: Module]
        /// Tensors that travel beside the factors, by name.
        package var dense: [String: Dense]
        /// How many bits a number in a message may have; nil where messages are not quantised.
        package var messageBits: Int?
        /// Keys of PEFT's `adapter_config.json` that travel with the adapter, as canonical JSON.
        package var config: [String: String]
        /// What the settings say of a template; nil where there is none.
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
        /// Whether the adapter has come.
        package var isComplete: Bool
        /// What the settings say beside it, which it must not contradict.
        package var givesMaximumRank: Bool
        package var givesScaling: Bool
        package var givesElementType: Bool
        /// Of the adapter's file, once it is complete.
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

    /// What version 0 has of a dense tensor.
    package enum InitialValues: Sendable, Codable, Hashable {
        /// Nothing: every client begins with its own model's.
        case base
        case zeros
        case ones
        /// Of this standard deviation.
        case normal(Double)
        /// What the template has.
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
            /// A parameter of so many experts, each with factors of its own, packed as PEFT does it.
            case experts(count: Int)
        }

        package var kind: Kind
        package var inputs: Int
        package var outputs: Int
        /// R_m; the federation's maximum rank where it is nil.
        package var maximumRank: Int?
        /// Whether B has a bias.
        package var bias: Bool
        /// The module's own alpha; the scaling's where it is nil.
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

    /// Bounds on what clients may send.
    package struct Limits: Sendable, Codable, Hashable {
        package var clients: Int
        package var samples: Int
        /// The largest norm of an update.
        package var norm: Double?
        /// The largest norm of an update relative to the median of its round.
        package var normOverMedian: Double?
        /// How large the entries of a factor may be relative to the median of its round (`FactorSizes`).
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
