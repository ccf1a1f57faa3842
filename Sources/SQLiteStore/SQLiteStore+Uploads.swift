import DurableFiles
package import Federation

/// Uploads that have not arrived completely, as files whose names are their records.
extension SQLiteStore: UploadStore {
    package func partialUploads() async throws(StoreError) -> [PartialUpload] {
        try await onUploads { directory in try directory.partialUploads() }
    }

    package func beginUpload(
        _ key: UploadKey, length: Int?, sureLength: Int?
    ) async throws(StoreError) -> SpoolFile {
        try await onUploads { directory in
            let path = directory.uploadPath(of: key, length: length, sureLength: sureLength)
            _ = try OwnedFile(path, for: .creating)
            try directory.syncUploads()
            return SpoolFile(path: path)
        }
    }

    package func note(
        length: Int?, sureLength: Int?, of key: UploadKey, in file: SpoolFile
    ) async throws(StoreError) -> SpoolFile {
        try await onUploads { directory in
            let path = directory.uploadPath(of: key, length: length, sureLength: sureLength)
            try DurableFile.rename(file.path, to: path)
            do {
                try directory.syncUploads()
            } catch {
                // The caller continues with the name that it knows.
                try? DurableFile.rename(path, to: file.path)
                throw error
            }
            return SpoolFile(path: path)
        }
    }

    package func truncate(_ file: SpoolFile, to offset: Int) async throws(StoreError) {
        try await onUploads { _ in
            let opened = try OwnedFile(file.path, for: .writing)
            try opened.truncate(to: offset)
            try opened.sync()
        }
    }

    /// The file is the record, so its durable bytes are kept.
    package func keep(_ range: Range<Int>, of key: UploadKey, in file: SpoolFile) async throws(StoreError) {}

    /// No other server has the folder.
    package func refreshed(
        _ known: PartialUpload?, of key: UploadKey
    ) async throws(StoreError) -> PartialUpload? { known }

    package func gather(_ key: UploadKey, into file: SpoolFile) async throws(StoreError) {}
    package func endUploads(idleFor seconds: Double) async throws(StoreError) {}
    package func endUpload(_ key: UploadKey) async throws(StoreError) {}

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
