import Crypto
import DurableFiles
import Federation
import Foundation
import GRDB
import StoredRows

/// A blob that a record may still need: an update's, by its round, or a template's, by its draft.
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
    let subject: UploadKey.Subject
    let digest: ContentDigest
    let byteCount: Int

    var description: String {
        switch subject {
        case .update(let round, let client): "blob \(digest) of \(client) (\(federation), round \(round))"
        case .template: "blob \(digest), the template of \(federation)"
        }
    }

    /// Whether a record needs the blob with this digest.
    static func isHeld(_ digest: ContentDigest, in database: Database) throws -> Bool {
        let claim = try database.cachedStatement(
            sql: """
                SELECT 1 FROM updates WHERE digest = ?1 AND holds_blob = 1
                UNION ALL SELECT 1 FROM templates WHERE digest = ?1 LIMIT 1
                """)
        return try Int.fetchOne(claim, arguments: [digest.data]) != nil
    }

    static func all(in database: Database) throws -> [HeldBlob] {
        let updates = try Row.fetchAll(
            database,
            sql: """
                SELECT federations.id, updates.round, client, digest, bytes FROM updates
                JOIN federations ON federations.key = updates.federation
                WHERE holds_blob = 1 ORDER BY federation, updates.round, client
                """
        ).map { row in
            HeldBlob(
                federation: try row.text("id"),
                subject: .update(round: try row.value("round"), try row.text("client")),
                digest: try row.digest("digest"), byteCount: try row.value("bytes"))
        }
        let templates = try Row.fetchAll(
            database,
            sql: """
                SELECT federations.id, digest, bytes FROM templates
                JOIN federations ON federations.key = templates.federation
                WHERE digest IS NOT NULL ORDER BY federation
                """
        ).map { row in
            HeldBlob(
                federation: try row.text("id"), subject: .template, digest: try row.digest("digest"),
                byteCount: try row.value("bytes"))
        }
        return updates + templates
    }

    /// Checks that the file exists and has the recorded length.
    func lengthDamage(in directory: DataDirectory) -> Damage? {
        var status = stat()
        guard stat(directory.blobPath(of: digest), &status) == 0 else { return .missing }
        guard status.st_size == byteCount else { return .length(found: Int(status.st_size), expected: byteCount) }
        return nil
    }

    /// Also checks the file's bytes.
    func damage(in directory: DataDirectory) throws -> Damage? {
        if let damage = lengthDamage(in: directory) { return damage }
        var hasher = SHA256()
        try OwnedFile(directory.blobPath(of: digest), for: .reading).readAll { hasher.update(bufferPointer: $0) }
        guard let found = ContentDigest(bytes: Array(hasher.finalize())), found != digest else { return nil }
        return .content(found: found)
    }
}
