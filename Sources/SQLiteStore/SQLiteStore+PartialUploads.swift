package import Federation
import Foundation
import Glibc

/// Uploads that have not arrived whole, as files that say themselves whose they are.
extension SQLiteStore: PartialUploadStore {
    package func partialUploads() async throws(StoreError) -> [PartialUpload] {
        try await onUploads { directory in try directory.partialUploads() }
    }

    package func beginUpload(_ key: UploadKey, length: Int?) async throws(StoreError) -> SpoolFile {
        try await onUploads { directory in
            let path = directory.uploadPath(of: key, length: length)
            _ = try FileDescriptor(opening: path, O_WRONLY | O_CREAT | O_EXCL)
            try directory.syncUploads()
            return SpoolFile(path: path)
        }
    }

    package func setLength(
        _ length: Int, of key: UploadKey, in file: SpoolFile
    ) async throws(StoreError) -> SpoolFile {
        try await onUploads { directory in
            let path = directory.uploadPath(of: key, length: length)
            guard rename(file.path, path) == 0 else { throw FileError(doing: "rename to \(path)", path: file.path) }
            try directory.syncUploads()
            return SpoolFile(path: path)
        }
    }

    package func truncate(_ file: SpoolFile, to offset: Int) async throws(StoreError) {
        try await onUploads { _ in
            let descriptor = try FileDescriptor(opening: file.path, O_WRONLY)
            guard ftruncate(descriptor.number, off_t(offset)) == 0, fsync(descriptor.number) == 0 else {
                throw FileError(doing: "cut", path: file.path)
            }
        }
    }

    private func onUploads<Value: Sendable>(
        _ work: @escaping @Sendable (DataDirectory) throws -> Value
    ) async throws(StoreError) -> Value {
        try await run(on: uploading) { () throws(StoreError) in
            do {
                return try work(self.directory)
            } catch {
                throw self.storeError(error)
            }
        }
    }
}
