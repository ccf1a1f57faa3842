import DurableFiles
import Federation
import Foundation
import Glibc
import Synchronization

/// The folder that a server owns: the database, the blobs, the spool and a lock against other servers.
///
/// The blobs' folder has a second lock. A process that reads beside a server holds it shared, and blobs are deleted
/// only under the exclusive lock.
final class DataDirectory: Sendable {
    let path: String
    private let lock: Mutex<OwnedFile?>
    private let blobs: OwnedFile
    private let nextSpoolFile = Atomic<UInt64>(1)
    /// The identity of the opened database file; nil before it is opened.
    private let opened = Mutex<(device: UInt, file: UInt)?>(nil)
    let mark: CommitMark

    var databasePath: String { path + "/rankwise.sqlite" }
    private var blobsPath: String { path + "/blobs" }
    private var spoolPath: String { path + "/spool" }

    init(path: String) throws(StoreOpeningError) {
        self.path = path
        mark = CommitMark(path: path + "/rankwise.mark")
        do {
            for folder in [path, path + "/blobs", path + "/spool", path + "/uploads"] { try Self.makeFolder(folder) }
            lock = try Mutex(Self.takeLock(in: path))
            blobs = try OwnedFile(path + "/blobs", for: .folder)
        } catch let error as StoreOpeningError {
            throw error
        } catch let error as FileError {
            throw .directory(path: path, reason: error.description)
        } catch {
            throw .directory(path: path, reason: error.localizedDescription)
        }
    }

    /// Opens the directory beside a server that may be running; no blob is deleted while this value lives.
    init(reading path: String) throws(StoreOpeningError) {
        self.path = path
        mark = CommitMark(path: path + "/rankwise.mark")
        lock = Mutex(nil)
        do throws(FileError) {
            blobs = try OwnedFile(path + "/blobs", for: .folder)
            while flock(blobs.number, LOCK_SH) != 0 {
                guard errno == EINTR else { throw FileError(doing: "lock", path: path + "/blobs") }
            }
        } catch {
            throw .directory(path: path, reason: error.description)
        }
    }

    /// Releases the directory for other processes.
    ///
    /// Closing the file would not suffice: a newly forked child has it open too, until it executes its program.
    func unlock() {
        lock.withLock { file in
            if let file { flock(file.number, LOCK_UN) }
            file = nil
        }
        flock(blobs.number, LOCK_UN)
    }

    /// Creates a folder and its missing parents; all are durable on return.
    private static func makeFolder(_ path: String) throws {
        var isFolder: ObjCBool = false
        if FileManager.default.fileExists(atPath: path, isDirectory: &isFolder), isFolder.boolValue { return }
        let parent = URL(fileURLWithPath: path).deletingLastPathComponent().path
        if parent != path { try makeFolder(parent) }
        try FileManager.default.createDirectory(
            atPath: path, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        try DurableFile.syncFolder(parent)
    }

    /// The lock belongs to the open file, so it ends with the process in any case.
    private static func takeLock(in path: String) throws -> OwnedFile {
        let file = try OwnedFile(path + "/lock", for: .locking)
        guard flock(file.number, LOCK_EX | LOCK_NB) == 0 else {
            guard errno == EWOULDBLOCK else { throw FileError(doing: "lock", path: path + "/lock") }
            let holder = try? String(contentsOfFile: path + "/lock", encoding: .utf8)
            throw StoreOpeningError.locked(
                path: path, by: holder?.trimmingCharacters(in: .whitespacesAndNewlines) ?? "unknown")
        }
        // Used only for the message above; the lock works without it.
        let note = "\(getpid())\n"
        if ftruncate(file.number, 0) == 0 { _ = Glibc.write(file.number, note, note.utf8.count) }
        return file
    }
}

extension DataDirectory {
    func blobPath(of digest: ContentDigest) -> String { blobsPath + "/" + digest.hex }

    /// A path in the spool that was not given out since the start, when the spool was emptied.
    func makeSpoolPath() -> String {
        spoolPath + "/\(nextSpoolFile.wrappingAdd(1, ordering: .relaxed).oldValue)"
    }

    /// Renames a durable file to its blob's name, replacing a file with the same bytes.
    func keep(_ spool: SpoolFile, as digest: ContentDigest) throws(FileError) {
        try DurableFile.rename(spool.path, to: blobPath(of: digest))
    }

    /// Links a blob's bytes into the spool again, unless the file is still there; the blob keeps its own name.
    func copy(_ digest: ContentDigest, backTo spool: SpoolFile) throws(FileError) {
        guard access(spool.path, F_OK) != 0, holds(digest) else { return }
        guard link(blobPath(of: digest), spool.path) == 0 else { throw FileError(doing: "link", path: spool.path) }
    }

    func holds(_ digest: ContentDigest) -> Bool { access(blobPath(of: digest), F_OK) == 0 }

    /// Makes the names of the blobs durable.
    func syncBlobs() throws(FileError) {
        try blobs.sync()
    }

    /// Runs `work`, which deletes blobs, unless another process reads beside the server; nil where one does.
    func deletingBlobs<Value>(_ work: () throws -> Value) throws -> Value? {
        guard flock(blobs.number, LOCK_EX | LOCK_NB) == 0 else {
            guard errno == EWOULDBLOCK else { throw FileError(doing: "lock", path: blobsPath) }
            return nil
        }
        defer { flock(blobs.number, LOCK_UN) }
        return try work()
    }

    /// Remembers the identity of the database file.
    func noteDatabase() {
        let file = Self.identity(of: databasePath)
        opened.withLock { $0 = file }
    }

    /// Whether the opened database still has its path. Data that is written into a moved or deleted folder is lost.
    var isInPlace: Bool {
        guard let file = opened.withLock({ $0 }) else { return true }
        return Self.identity(of: databasePath).map { $0 == file } ?? false
    }

    private static func identity(of path: String) -> (device: UInt, file: UInt)? {
        var status = stat()
        return stat(path, &status) == 0 ? (UInt(status.st_dev), UInt(status.st_ino)) : nil
    }

    /// Makes the names of the database and the folders durable.
    func sync() throws(FileError) {
        try DurableFile.syncFolder(path)
    }

    /// Deletes a file; a missing file is no error.
    func delete(_ path: String) throws(FileError) {
        try DurableFile.remove(path)
    }

    /// Deletes all files of an earlier run from the spool, and returns their number.
    func deleteSpoolFiles() throws -> Int {
        let names = try FileManager.default.contentsOfDirectory(atPath: spoolPath)
        for name in names { try delete(spoolPath + "/" + name) }
        return names.count
    }

    /// The digests of all blob files. Files with other names do not belong to the store and stay.
    func blobDigests() throws -> [ContentDigest] {
        try FileManager.default.contentsOfDirectory(atPath: blobsPath).compactMap { name in
            ContentDigest(hex: name).flatMap { $0.hex == name ? $0 : nil }
        }
    }

    /// The bytes that this process can still write here; 0 where that is unknown.
    var freeBytes: UInt64 {
        var status = statvfs()
        guard statvfs(path, &status) == 0 else { return 0 }
        let (bytes, overflow) = UInt64(status.f_bavail).multipliedReportingOverflow(by: UInt64(status.f_frsize))
        return overflow ? .max : bytes
    }

    /// Whether too little space is left to continue: less than 8 MiB.
    var isFull: Bool { freeBytes < 8 << 20 }
}
