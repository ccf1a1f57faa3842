import RankwiseWire

/// The answers that are lists, each under its one key.
struct FederationList: Decodable, Sendable { let federations: [FederationBody] }
struct ClientList: Decodable, Sendable { let clients: [ClientBody] }
struct TokenList: Decodable, Sendable { let tokens: [TokenBody] }
/// Rounds, each also as the JSON that it came as.
struct RoundList: Codable, Sendable { let rounds: [JSONValue] }
/// Events, each as the JSON that it came as.
struct EventList: Codable, Sendable { let events: [JSONValue] }
