import Crypto
import Federation
import Foundation
import GRDB

/// An update whose bytes its round may still need.
struct HeldBlob: Sendable, CustomStringConvertible {
    /// What is wrong with the file of a blob.
    enum Damage: Error, Equatable, CustomStringConvertible {
        case missing
        case length(found: Int, expected: Int)
        case content(found: ContentDigest)

        var description: String {
            switch self {
            case .missing: "is missing"
            case .length(let found, let expected): "has \(found.counted("byte")); expected \(expected)"
            case .content(let found): "was altered: its bytes are \(found)"
            }
        }
    }

    let federation: FederationID
    let round: Int
    let client: ClientName
    let digest: ContentDigest
    let byteCount: Int

    var description: String { "blob \(digest) of \(client) (\(federation), round \(round))" }

    static func all(in database: Database) throws -> [HeldBlob] {
        try Row.fetchAll(
            database,
            sql: """
                SELECT federations.id, updates.round, client, digest, bytes FROM updates
                JOIN federations ON federations.key = updates.federation
                WHERE holds_blob = 1 ORDER BY federation, updates.round, client
                """
        ).map { row in
            HeldBlob(
                federation: try row.text("id"), round: try row.value("round"), client: try row.text("client"),
                digest: try row.digest("digest"), byteCount: try row.value("bytes"))
        }
    }

    /// Checks that the file is there and as long as recorded.
    func lengthDamage(in directory: DataDirectory) -> Damage? {
        var status = stat()
        guard stat(directory.blobPath(of: digest), &status) == 0 else { return .missing }
        guard status.st_size == byteCount else { return .length(found: Int(status.st_size), expected: byteCount) }
        return nil
    }

    /// Checks the file's bytes too.
    func damage(in directory: DataDirectory) throws -> Damage? {
        if let damage = lengthDamage(in: directory) { return damage }
        let file = try FileDescriptor(opening: directory.blobPath(of: digest), O_RDONLY)
        var hasher = SHA256()
        try file.readAll(directory.blobPath(of: digest)) { hasher.update(bufferPointer: $0) }
        guard let found = ContentDigest(bytes: Array(hasher.finalize())), found != digest else { return nil }
        return .content(found: found)
    }
}
