/// The settings of a federation, as YAML in `Config/` or as JSON over HTTP.
package struct FederationDocument: Codable, Sendable, Hashable {
    package var id: String
    package var baseModel: BaseModel
    package var adapter: Adapter
    package var strategy: Strategy
    package var server: Server
    package var robust: Robust?
    package var round: Round
    package var limits: Limits
    package var retention: Retention
    /// Passed to the clients unchanged; trainers define the meaning of its keys.
    package var training: [String: JSONValue]
    package var seed: UInt64
    /// nil where clients do not evaluate.
    package var evaluation: Evaluation?

    enum CodingKeys: String, CodingKey, CaseIterable {
        case id, adapter, strategy, server, robust, round, limits, retention, training, seed, evaluation
        case baseModel = "base_model"
    }

    package init(from decoder: any Decoder) throws {
        let values = try decoder.knownKeys(CodingKeys.self)
        id = try values.decode(String.self, forKey: .id)
        adapter = try values.decode(Adapter.self, forKey: .adapter)
        // A template names its base model itself.
        baseModel =
            adapter.template
            ? try values.value(.baseModel, default: BaseModel(name: ""))
            : try values.decode(BaseModel.self, forKey: .baseModel)
        strategy = try values.value(.strategy, default: Strategy())
        server = try values.value(.server, default: Server())
        robust = try values.decodeIfPresent(Robust.self, forKey: .robust)
        round = try values.value(.round, default: Round())
        limits = try values.value(.limits, default: Limits())
        retention = try values.value(.retention, default: Retention())
        training = try values.value(.training, default: [:])
        seed = try values.value(.seed, default: 0)
        evaluation = try values.decodeIfPresent(Evaluation.self, forKey: .evaluation)
    }

    package init(
        id: String, baseModel: BaseModel, adapter: Adapter, strategy: Strategy = Strategy(), server: Server = Server(),
        robust: Robust? = nil, round: Round = Round(), limits: Limits = Limits(), retention: Retention = Retention(),
        training: [String: JSONValue] = [:], seed: UInt64 = 0, evaluation: Evaluation? = nil
    ) {
        self.id = id
        self.baseModel = baseModel
        self.adapter = adapter
        self.strategy = strategy
        self.server = server
        self.robust = robust
        self.round = round
        self.limits = limits
        self.retention = retention
        self.training = training
        self.seed = seed
        self.evaluation = evaluation
    }
}

extension FederationDocument {
    /// The frozen model that every client adapts.
    package struct BaseModel: Codable, Sendable, Hashable {
        package var name: String
        /// The seed of the weights that the native trainer builds for a model name.
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
}
