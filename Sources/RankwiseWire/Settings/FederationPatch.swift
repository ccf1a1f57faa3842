/// The changes of `PATCH /v1/federations/{f}`: state, some keys of the round policy, or which adapters are kept.
package struct FederationPatch: Codable, Sendable, Hashable {
    /// `running`, `paused` or `finished`.
    package var state: String?
    package var round: [String: JSONValue]?
    package var retention: FederationDocument.Retention?

    enum CodingKeys: String, CodingKey, CaseIterable { case state, round, retention }

    package init(
        state: String? = nil, round: [String: JSONValue]? = nil, retention: FederationDocument.Retention? = nil
    ) {
        self.state = state
        self.round = round
        self.retention = retention
    }

    package init(from decoder: any Decoder) throws {
        let values = try decoder.knownKeys(CodingKeys.self)
        state = try values.decodeIfPresent(String.self, forKey: .state)
        round = try values.decodeIfPresent([String: JSONValue].self, forKey: .round)
        retention = try values.decodeIfPresent(FederationDocument.Retention.self, forKey: .retention)
    }
}
