package import Federation
import Foundation
import Glibc

/// Uploads that have not arrived whole, as files that say themselves whose they are.
extension SQLiteStore: UploadStore {
    package func partialUploads() async throws(StoreError) -> [PartialUpload] {
        try await onUploads { directory in try directory.partialUploads() }
    }

    package func beginUpload(
        _ key: UploadKey, length: Int?, sureLength: Int?
    ) async throws(StoreError) -> SpoolFile {
        try await onUploads { directory in
            let path = directory.uploadPath(of: key, length: length, sureLength: sureLength)
            _ = try FileDescriptor(opening: path, O_WRONLY | O_CREAT | O_EXCL)
            try directory.syncUploads()
            return SpoolFile(path: path)
        }
    }

    package func note(
        length: Int?, sureLength: Int?, of key: UploadKey, in file: SpoolFile
    ) async throws(StoreError) -> SpoolFile {
        try await onUploads { directory in
            let path = directory.uploadPath(of: key, length: length, sureLength: sureLength)
            guard rename(file.path, path) == 0 else { throw FileError(doing: "rename to \(path)", path: file.path) }
            do {
                try directory.syncUploads()
            } catch {
                // The caller goes on with the name that it knows.
                rename(path, file.path)
                throw error
            }
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
