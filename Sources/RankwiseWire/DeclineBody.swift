/// Why a client sends nothing: in a round (`PUT …/rounds/{t}/decline`), or until its next call (`PUT …/leave`).
package struct DeclineBody: Codable, Sendable, Hashable {
    /// For the people who look at the round; at most 500 characters.
    package var reason: String

    enum CodingKeys: String, CodingKey, CaseIterable { case reason }

    package init(reason: String) { self.reason = reason }

    package init(from decoder: any Decoder) throws {
        let values = try decoder.knownKeys(CodingKeys.self)
        reason = try values.decode(String.self, forKey: .reason)
    }
}
