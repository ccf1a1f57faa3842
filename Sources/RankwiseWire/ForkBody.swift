/// The body of `POST /v1/federations/{f}/fork`.
package struct ForkBody: Codable, Sendable, Hashable {
    /// The new federation's name.
    package var id: String
    /// The round whose adapter it starts with; the newest where it is missing.
    package var round: Int?
    /// Settings that replace the other federation's; any key except `id` and `adapter`.
    package var settings: [String: JSONValue]

    enum CodingKeys: String, CodingKey, CaseIterable { case id, round, settings }

    package init(id: String, round: Int? = nil, settings: [String: JSONValue] = [:]) {
        self.id = id
        self.round = round
        self.settings = settings
    }

    package init(from decoder: any Decoder) throws {
        let values = try decoder.knownKeys(CodingKeys.self)
        id = try values.decode(String.self, forKey: .id)
        round = try values.decodeIfPresent(Int.self, forKey: .round)
        settings = try values.value(.settings, default: [:])
    }
}
