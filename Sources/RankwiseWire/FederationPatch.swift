/// What `PATCH /v1/federations/{f}` changes: its state, or some keys of its round policy.
package struct FederationPatch: Codable, Sendable, Hashable {
    /// `running`, `paused` or `finished`.
    package var state: String?
    package var round: [String: JSONValue]?

    enum CodingKeys: String, CodingKey, CaseIterable { case state, round }

    package init(state: String? = nil, round: [String: JSONValue]? = nil) {
        self.state = state
        self.round = round
    }

    package init(from decoder: any Decoder) throws {
        let values = try decoder.knownKeys(CodingKeys.self)
        state = try values.decodeIfPresent(String.self, forKey: .state)
        round = try values.decodeIfPresent([String: JSONValue].self, forKey: .round)
    }
}
