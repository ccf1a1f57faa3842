package import Federation
import Logging

/// Writes one federation to a file and takes it in from one, to move or keep it.
package struct ArchiveService: Sendable {
    let runtime: FederationRuntime
    let archives: any ArchiveStore
    let blobs: any BlobStore
    let templates: TemplateService
    let folding: MergeFolding
    let quotas: Quotas
    let logger: Logger

    /// The longest archive: 1 TiB.
    package static let byteLimit = 1 << 40

    /// Writes a federation to a file, which the caller must delete.
    package func write(_ federation: FederationID) async throws(ServiceError) -> SpoolFile {
        _ = try runtime.session(federation)
        do throws(StoreError) { return try await archives.archive(federation) } catch { throw .store(error) }
    }

    /// The file to which the body of an archive is streamed.
    package func begin() -> SpoolFile { blobs.stage() }

    /// Discards an archive that did not arrive completely.
    package func abandon(_ spool: SpoolFile) async { await blobs.discard(spool) }

    /// Takes in the federation of an archive. It continues where it stood, under its name and with its tokens.
    package func take(_ spool: SpoolFile) async throws(ServiceError) -> FederationSnapshot {
        try runtime.reserve(upTo: quotas.federations)
        defer { runtime.release() }
        let stored: StoredFederation
        do throws(StoreError) {
            stored = try await archives.takeArchive(spool)
        } catch {
            throw error == .exists ? .archivedFederationExists : .store(error)
        }
        let session = runtime.open(stored)
        let id = stored.machine.settings.id
        if stored.machine.settings.adapter.template != nil { try await templates.resume(session) }
        folding.request(id)
        logger.notice("a federation was taken in", metadata: ["federation": "\(id)"])
        return session.snapshot
    }
}
