extension FederationSettings.Adapter {
    /// Settings from before templates existed have neither template nor configuration.
    package init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        self.init(
            maximumRank: try values.decode(Int.self, forKey: .maximumRank),
            scaling: try values.decode(FederationSettings.Scaling.self, forKey: .scaling),
            elementType: try values.decode(FederationSettings.ElementType.self, forKey: .elementType),
            modules: try values.decode([String: FederationSettings.Module].self, forKey: .modules),
            dense: try values.decode([String: FederationSettings.Dense].self, forKey: .dense),
            messageBits: try values.decodeIfPresent(Int.self, forKey: .messageBits),
            config: try values.decodeIfPresent([String: String].self, forKey: .config) ?? [:],
            template: try values.decodeIfPresent(FederationSettings.Template.self, forKey: .template))
    }
}

extension FederationSettings.Dense {
    /// Before initial values existed, only a shape was stored; such tensors began at zero.
    package init(from decoder: any Decoder) throws {
        if let shape = try? decoder.singleValueContainer().decode([Int].self) {
            self.init(shape: shape, initial: .zeros)
            return
        }
        let values = try decoder.container(keyedBy: CodingKeys.self)
        self.init(
            shape: try values.decode([Int].self, forKey: .shape),
            initial: try values.decode(FederationSettings.InitialValues.self, forKey: .initial))
    }
}

extension FederationSettings.Adapter {
    /// Whether the federation still waits for its template.
    package var isDraft: Bool { template?.isComplete == false }

    /// The adapter settings of a draft, which has no shape yet.
    package static func draft(
        _ template: FederationSettings.Template, maximumRank: Int = 0, scaling: FederationSettings.Scaling,
        elementType: FederationSettings.ElementType, messageBits: Int?
    ) -> FederationSettings.Adapter {
        FederationSettings.Adapter(
            maximumRank: maximumRank, scaling: scaling, elementType: elementType, modules: [:], dense: [:],
            messageBits: messageBits, template: template)
    }
}
