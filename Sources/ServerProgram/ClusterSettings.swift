import Federation
import Foundation
import RankwiseWire

/// Where servers that share their data keep it: a database, a bucket, and a local folder.
package struct ClusterSettings: Sendable, Hashable {
    /// A connection string of libpq: `postgresql://…`.
    package var database: String
    /// `s3://bucket/prefix`
    package var objects: String
    /// A local folder for bodies on their way and rendered adapters; this server's own.
    package var scratch: String
    package var storage: ObjectStorageDocument
    package var postgres: PostgresDocument
    /// Whether this server aggregates rounds.
    package var works = true

    /// Whether a value of `data` names a database.
    static func isDatabase(_ data: String) -> Bool {
        data.hasPrefix("postgresql://") || data.hasPrefix("postgres://")
    }

    /// The database's address without its password, for logs.
    package var place: String { Self.withoutPassword(database) }

    /// A connection string without what may be secret: the password and the parameters behind the `?`.
    static func withoutPassword(_ url: String) -> String {
        let bare = String(url.prefix { $0 != "?" })
        guard let start = bare.range(of: "://")?.upperBound,
            let at = bare[start...].prefix(while: { $0 != "/" }).lastIndex(of: "@")
        else { return bare }
        let user = bare[start..<at].prefix { $0 != ":" }
        return String(bare[..<start] + user + bare[at...])
    }
}

/// The `object_storage` of a server's settings.
package struct ObjectStorageDocument: Codable, Sendable, Hashable {
    package var endpoint: String?
    package var region: String?
    package var pathStyle: Bool?
    package var authority: String?
    package var credentialsFile: String?
    package var credentialsProfile: String?
    package var credentialsCommand: [String]?
    package var connections: Int?

    enum CodingKeys: String, CodingKey, CaseIterable {
        case endpoint, region, authority, connections
        case pathStyle = "path_style"
        case credentialsFile = "credentials_file"
        case credentialsProfile = "credentials_profile"
        case credentialsCommand = "credentials_command"
    }

    package init() {}

    package init(from decoder: any Decoder) throws {
        let values = try decoder.knownKeys(CodingKeys.self)
        endpoint = try values.decodeIfPresent(String.self, forKey: .endpoint)
        region = try values.decodeIfPresent(String.self, forKey: .region)
        pathStyle = try values.decodeIfPresent(Bool.self, forKey: .pathStyle)
        authority = try values.decodeIfPresent(String.self, forKey: .authority)
        credentialsFile = try values.decodeIfPresent(String.self, forKey: .credentialsFile)
        credentialsProfile = try values.decodeIfPresent(String.self, forKey: .credentialsProfile)
        credentialsCommand = try values.decodeIfPresent([String].self, forKey: .credentialsCommand)
        connections = try values.decodeIfPresent(Int.self, forKey: .connections)
        if credentialsFile != nil, credentialsCommand != nil {
            throw WireError(
                path: "object_storage.credentials_command", reason: "is given beside credentials_file; expected one")
        }
        if credentialsProfile != nil, credentialsFile == nil {
            throw WireError(
                path: "object_storage.credentials_profile", reason: "is given; expected credentials_file beside it")
        }
        if let connections, !(1...256).contains(connections) {
            throw WireError(path: "object_storage.connections", reason: "is \(connections); expected 1 to 256")
        }
        if let credentialsCommand, credentialsCommand.isEmpty {
            throw WireError(path: "object_storage.credentials_command", reason: "is empty; expected a program")
        }
    }
}

/// The `postgres` of a server's settings.
package struct PostgresDocument: Codable, Sendable, Hashable {
    /// synchronous, lone or asynchronous.
    package var durability: String?
    package var connections: Int?
    package var patienceSeconds: Double?

    enum CodingKeys: String, CodingKey, CaseIterable {
        case durability, connections
        case patienceSeconds = "patience_seconds"
    }

    package init() {}

    package init(from decoder: any Decoder) throws {
        let values = try decoder.knownKeys(CodingKeys.self)
        durability = try values.decodeIfPresent(String.self, forKey: .durability)
        connections = try values.decodeIfPresent(Int.self, forKey: .connections)
        patienceSeconds = try values.decodeIfPresent(Double.self, forKey: .patienceSeconds)
        let known = ["synchronous", "lone", "asynchronous"]
        if let durability, !known.contains(durability) {
            throw WireError(
                path: "postgres.durability",
                reason: "is '\(durability)'; expected one of \(known.joined(separator: ", "))")
        }
        if let connections, !(2...200).contains(connections) {
            throw WireError(path: "postgres.connections", reason: "is \(connections); expected 2 to 200")
        }
        if let patienceSeconds, !(0...300).contains(patienceSeconds) {
            throw WireError(path: "postgres.patience_seconds", reason: "is \(patienceSeconds); expected 0 to 300")
        }
    }
}
