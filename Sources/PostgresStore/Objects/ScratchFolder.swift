import DurableFiles
import Federation
import Foundation
import Synchronization

/// A local folder for bodies on their way and for copies of objects. Nothing in it outlives the process.
final class ScratchFolder: Sendable {
    let path: String
    let blobs: LentBlobs
    private let lock: OwnedFile
    private let number = Atomic<UInt64>(0)

    /// Takes the folder for this process and empties it.
    init(_ path: String) throws(StoreError) {
        self.path = path
        do {
            for folder in [path, path + "/spool", path + "/uploads", path + "/blobs"] {
                try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            }
            lock = try OwnedFile(path + "/lock", for: .locking)
            guard flock(lock.number, LOCK_EX | LOCK_NB) == 0 else {
                throw StoreError.failed("\(path) is the scratch folder of another server")
            }
            for folder in ["spool", "uploads", "blobs"] {
                for name in try FileManager.default.contentsOfDirectory(atPath: "\(path)/\(folder)") {
                    try FileManager.default.removeItem(atPath: "\(path)/\(folder)/\(name)")
                }
            }
        } catch {
            throw error as? StoreError ?? (error as? FileError)?.storeError ?? .failed("\(path): \(error)")
        }
        blobs = LentBlobs(folder: path + "/blobs")
    }

    func unlock() { flock(lock.number, LOCK_UN) }

    func makeSpoolPath() -> String { "\(path)/spool/\(next())" }
    func makeUploadPath() -> String { "\(path)/uploads/\(next())" }

    private func next() -> UInt64 { number.add(1, ordering: .relaxed).newValue }
}

extension FileError {
    var storeError: StoreError { reason == .full ? .full : .failed(description) }
}
