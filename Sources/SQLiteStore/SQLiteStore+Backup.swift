import Crypto
import DurableFiles
package import Federation
import Foundation
import GRDB

/// The content of a backup.
package struct StoreBackup: Sendable {
    package internal(set) var databaseBytes = 0
    package internal(set) var blobs = 0
    package internal(set) var byteCount = 0
    /// Updates whose bytes could not be included, one sentence each. The backup does not contain them.
    package internal(set) var findings: [String] = []
}

extension SQLiteStore {
    /// Writes the directory into one tar archive at `path`. Blocks the caller; a server may run meanwhile.
    ///
    /// The database is copied first, as one snapshot, then the blobs that the copy names. No blob is deleted while this
    /// store is open. The archive gets its name, in place of an older one, when it is complete and durable.
    package func backUp(to path: String) throws(StoreError) -> StoreBackup {
        do {
            let folder = path + ".partial"
            try? FileManager.default.removeItem(atPath: folder)
            try FileManager.default.createDirectory(
                atPath: folder, withIntermediateDirectories: false, attributes: [.posixPermissions: 0o700])
            defer { try? FileManager.default.removeItem(atPath: folder) }
            let copy = folder + "/rankwise.sqlite"
            try copyDatabase(to: copy)
            let archive = folder + "/archive.tar"
            let backup = try writeArchive(at: archive, database: copy)
            try DurableFile.rename(archive, to: path)
            try DurableFile.syncFolder(of: path)
            return backup
        } catch let error as FileError {
            // Names the path: the archive's disk may be full, not the store's.
            throw .failed(error.description)
        } catch let error as TarWriter.Failure {
            throw .failed(error.description)
        } catch {
            throw storeError(error)
        }
    }

    private func copyDatabase(to path: String) throws {
        var configuration = Self.configuration
        configuration.readonly = true
        let queue = try DatabaseQueue(path: directory.databasePath, configuration: configuration)
        defer { try? queue.close() }
        try queue.inDatabase { try $0.execute(sql: "VACUUM INTO ?", arguments: [path]) }
    }

    func writeArchive(at path: String, database copy: String) throws -> StoreBackup {
        let tar = TarWriter(to: try OwnedFile(path, for: .creating))
        let now = time(nil)
        var backup = StoreBackup()
        backup.databaseBytes = try Self.length(of: copy)
        try tar.add(
            try OwnedFile(copy, for: .reading), as: "rankwise.sqlite", byteCount: backup.databaseBytes,
            modified: now)
        try tar.addFolder("blobs", modified: now)
        var added: Set<ContentDigest> = []
        for blob in try Self.heldBlobs(ofCopy: copy) where added.insert(blob.digest).inserted {
            // Checked before it is written, because data cannot be removed from the archive.
            if let damage = try blob.damage(in: directory) {
                backup.findings.append("\(blob) \(damage)")
                continue
            }
            try tar.add(
                try OwnedFile(directory.blobPath(of: blob.digest), for: .reading),
                as: "blobs/\(blob.digest.hex)", byteCount: blob.byteCount, modified: now)
            backup.blobs += 1
        }
        try tar.finish()
        backup.byteCount = try Self.length(of: path)
        return backup
    }

    private static func heldBlobs(ofCopy path: String) throws -> [HeldBlob] {
        var configuration = Self.configuration
        configuration.readonly = true
        let queue = try DatabaseQueue(path: path, configuration: configuration)
        defer { try? queue.close() }
        return try queue.read { try HeldBlob.all(in: $0) }
    }

    private static func length(of path: String) throws(FileError) -> Int {
        var status = stat()
        guard stat(path, &status) == 0 else { throw FileError(doing: "look at", path: path) }
        return Int(status.st_size)
    }
}
