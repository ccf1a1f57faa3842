import Crypto
import DurableFiles
import Federation
import Foundation
import GRDB
import StoredRows

/// The unpacked and checked files of an archive: a database with one federation, and blobs whose bytes match their
/// names.
final class UnpackedArchive {
    enum Failure: Error, CustomStringConvertible {
        case unknown(String)
        case noDatabase
        case federations(Int)
        /// The database is not this program's, or its content is invalid.
        case unsound(String)
        case blob(ContentDigest, String)

        var description: String {
            switch self {
            case .unknown(let name): "it holds \(name); expected rankwise.sqlite and blobs"
            case .noDatabase: "it holds no rankwise.sqlite"
            case .federations(let count): "it holds \(count.counted("federation")); expected one"
            case .unsound(let reason): "its database cannot be taken in: \(reason)"
            case .blob(let digest, let reason): "its blob \(digest) \(reason)"
            }
        }
    }

    /// The path of the database.
    let database: String
    private(set) var federation: FederationID
    /// `federations.key` in the archive.
    private(set) var key: Int64
    private var blobs: [(digest: ContentDigest, file: SpoolFile)] = []

    init(_ archive: SpoolFile, in directory: DataDirectory, spool: () -> SpoolFile) throws {
        database = spool().path
        (federation, key) = (try FederationID("none"), 0)
        do {
            try unpack(archive.path, spool: spool)
            try check(in: directory)
        } catch {
            discard()
            throw error
        }
    }

    func discard() {
        for suffix in ["", "-wal", "-shm", "-journal"] { unlink(database + suffix) }
        for blob in blobs { unlink(blob.file.path) }
    }

    /// Renames the blobs to their names in the data directory, as the last action of a transaction.
    func keepBlobs(in directory: DataDirectory) throws {
        for blob in blobs { try directory.keep(blob.file, as: blob.digest) }
        if !blobs.isEmpty { try directory.syncBlobs() }
        blobs = []
    }

    private func unpack(_ path: String, spool: () -> SpoolFile) throws {
        let file = try OwnedFile(path, for: .reading)
        var reader = TarReader(length: try file.length) { try file.bytes($1, at: $0) }
        var hasDatabase = false
        while let entry = try reader.next() {
            if entry.isFolder, ["blobs", "blobs/"].contains(entry.name) { continue }
            if entry.name == "rankwise.sqlite", !entry.isFolder, !hasDatabase {
                _ = try copy(entry, of: file, to: database)
                hasDatabase = true
            } else if !entry.isFolder, entry.name.hasPrefix("blobs/"),
                let digest = ContentDigest(hex: String(entry.name.dropFirst("blobs/".count)))
            {
                let target = spool()
                blobs.append((digest, target))
                let found = try copy(entry, of: file, to: target.path)
                guard found == digest else { throw Failure.blob(digest, "is \(found)") }
            } else {
                throw Failure.unknown(entry.name)
            }
        }
        guard hasDatabase else { throw Failure.noDatabase }
    }

    /// Writes an entry to a durable file and returns its digest.
    private func copy(
        _ entry: TarReader.Entry, of file: OwnedFile, to target: String
    ) throws -> ContentDigest {
        let output = try OwnedFile(target, for: .replacing)
        var hash = SHA256()
        for start in stride(from: entry.range.lowerBound, to: entry.range.upperBound, by: 1 << 20) {
            let bytes = try file.bytes(min(1 << 20, entry.range.upperBound - start), at: start)
            hash.update(data: bytes)
            try output.write(bytes)
        }
        try output.sync()
        guard let digest = ContentDigest(bytes: Array(hash.finalize())) else {
            throw StoreError.failed("SHA-256 of another length")
        }
        return digest
    }

    private func check(in directory: DataDirectory) throws {
        do {
            var configuration = SQLiteStore.configuration
            configuration.prepareDatabase { try $0.execute(sql: "PRAGMA trusted_schema = OFF") }
            let queue = try DatabaseQueue(path: database, configuration: configuration)
            defer { try? queue.close() }
            try queue.read { database in
                try Schema.requireKnownVersion(of: database)
                // A view or a trigger would run with the server's rights.
                let foreign = try String.fetchOne(
                    database, sql: "SELECT name FROM sqlite_master WHERE type IN ('view', 'trigger')")
                if let foreign { throw Failure.unsound("it has the view or trigger \(foreign)") }
            }
            try Schema.migrator.migrate(queue)
            try queue.read { try checkRows($0, in: directory) }
        } catch let error as DatabaseError {
            throw Failure.unsound("\(error.message ?? "SQLite refuses it")")
        } catch let error as SchemaMismatch {
            throw Failure.unsound("\(error)")
        } catch let error as StoreError {
            throw Failure.unsound("\(error)")
        }
    }

    private func checkRows(_ database: Database, in directory: DataDirectory) throws {
        let rows = try Row.fetchAll(database, sql: "SELECT key, id FROM federations")
        guard rows.count == 1 else { throw Failure.federations(rows.count) }
        federation = try rows[0].text("id")
        key = try rows[0].value("key")
        let audit = try StoreAudit(ofArchive: database, in: directory)
        if let finding = audit.findings.first { throw Failure.unsound(finding) }
        // Checks that all rows can be read as their types.
        guard try FederationReader.federation(federation, in: database) != nil else { throw Failure.federations(0) }
        let held = Set(try HeldBlob.all(in: database).map(\.digest))
        for digest in held where !blobs.contains(where: { $0.digest == digest }) {
            throw Failure.blob(digest, "is missing")
        }
        for blob in blobs where !held.contains(blob.digest) { throw Failure.blob(blob.digest, "is nobody's") }
    }
}
