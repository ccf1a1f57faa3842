package import Federation
import Logging

/// One federation as a file, for another server or for the shelf.
package struct ArchiveService: Sendable {
    let runtime: FederationRuntime
    let archives: any ArchiveStore
    let blobs: any BlobStore
    let templates: TemplateService
    let folding: MergeFolding
    let quotas: Quotas
    let logger: Logger

    /// No archive is longer: 1 TiB.
    package static let byteLimit = 1 << 40

    /// Writes a federation to a file, which is the caller's to delete.
    package func write(_ federation: FederationID) async throws(ServiceError) -> SpoolFile {
        _ = try runtime.session(federation)
        do throws(StoreError) { return try await archives.archive(federation) } catch { throw .store(error) }
    }

    /// Where an archive's body is streamed to.
    package func begin() -> SpoolFile { blobs.stage() }

    package func abandon(_ spool: SpoolFile) async { await blobs.discard(spool) }

    /// Takes in the federation of an archive: it goes on where it stood, under its name and with its tokens.
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
