import RankwiseWire

/// `metrics` of the server's settings.
struct MetricsDocument: Codable {
    var enabled: Bool?
    var listen: String?
    var tokenFile: String?
    var federations: Int?

    enum CodingKeys: String, CodingKey, CaseIterable {
        case enabled, listen, federations
        case tokenFile = "token_file"
    }

    init() {}

    init(from decoder: any Decoder) throws {
        let values = try decoder.knownKeys(CodingKeys.self)
        enabled = try values.decodeIfPresent(Bool.self, forKey: .enabled)
        listen = try values.decodeIfPresent(String.self, forKey: .listen)
        tokenFile = try values.decodeIfPresent(String.self, forKey: .tokenFile)
        federations = try values.decodeIfPresent(Int.self, forKey: .federations)
    }
}
