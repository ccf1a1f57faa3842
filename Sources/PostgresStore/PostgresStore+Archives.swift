package import Federation
import Foundation
import Logging
import SQLiteStore

/// Archives have the form of a data folder, whatever database a federation comes from: a folder is made for the way.
extension PostgresStore: ArchiveStore {
    package func archive(_ federation: FederationID) async throws(StoreError) -> SpoolFile {
        try await withFolder { folder throws(StoreError) in
            try await self.onQueue { () throws(StoreError) in
                guard let source = try self.source(federation) else {
                    throw .failed("there is no federation \(federation)")
                }
                try folder.take(source)
            }
            let written = try await folder.archive(federation)
            let spool = self.stage()
            guard rename(written.path, spool.path) == 0 else { throw .failed("an archive cannot be moved") }
            return spool
        }
    }

    package func takeArchive(_ spool: SpoolFile) async throws(StoreError) -> StoredFederation {
        try await withFolder { folder throws(StoreError) in
            let taken = try await folder.takeArchive(spool)
            let id = taken.machine.settings.id
            try await self.onQueue { () throws(StoreError) in
                guard let source = try folder.source(id) else { throw .failed("there is no federation \(id)") }
                try self.take(source)
            }
            guard let stored = try await self.federation(id) else { throw .failed("\(id) is not stored") }
            self.follower.note(StoredStep(federation: id, revision: stored.machine.revision))
            return stored
        }
    }

    /// Runs `body` with the store of a new folder, which is deleted afterwards.
    private func withFolder<Value: Sendable>(
        _ body: @escaping @Sendable (SQLiteStore) async throws(StoreError) -> Value
    ) async throws(StoreError) -> Value {
        let path = scratch.makeSpoolPath() + ".folder"
        defer { try? FileManager.default.removeItem(atPath: path) }
        let folder: SQLiteStore
        do throws(StoreOpeningError) {
            folder = try SQLiteStore(directory: path, logger: logger)
        } catch {
            throw .failed("\(error)")
        }
        let result: Result<Value, StoreError>
        do throws(StoreError) { result = .success(try await body(folder)) } catch { result = .failure(error) }
        try folder.close()
        return try result.get()
    }

    private func onQueue<Value: Sendable>(
        _ work: @escaping @Sendable () throws(StoreError) -> Value
    ) async throws(StoreError) -> Value {
        let result: Result<Value, StoreError> = await withCheckedContinuation { continuation in
            archiving.async {
                let result: Result<Value, StoreError>
                do throws(StoreError) { result = .success(try work()) } catch { result = .failure(error) }
                continuation.resume(returning: result)
            }
        }
        return try result.get()
    }
}
