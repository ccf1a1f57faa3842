package import Federation
import Logging

/// One federation as a file, for another server or for the shelf.
package struct ArchiveService: Sendable {
    let parts: Parts

    /// No archive is longer: 1 TiB.
    package static let byteLimit = 1 << 40

    /// Writes a federation to a file, which is the caller's to delete.
    package func write(_ federation: FederationID) async throws(ServiceError) -> SpoolFile {
        _ = try parts.registry.session(federation)
        do throws(StoreError) { return try await parts.store.archive(federation) } catch { throw .store(error) }
    }

    /// Where an archive's body is streamed to.
    package func begin() -> SpoolFile { parts.store.makeSpoolFile() }

    package func abandon(_ spool: SpoolFile) async { await parts.store.discard(spool) }

    /// Takes in the federation of an archive: it goes on where it stood, under its name and with its tokens.
    package func take(_ spool: SpoolFile) async throws(ServiceError) -> FederationSnapshot {
        guard parts.registry.reserve(upTo: parts.quotas.federations) else {
            throw .tooManyFederations(limit: parts.quotas.federations)
        }
        defer { parts.registry.release() }
        let stored: StoredFederation
        do throws(StoreError) {
            stored = try await parts.store.takeArchive(spool)
        } catch {
            throw error == .exists ? .archivedFederationExists : .store(error)
        }
        parts.open(stored)
        let id = stored.machine.settings.id
        let session = try parts.registry.session(id)
        if stored.machine.settings.adapter.template != nil { try await TemplateService(parts: parts).resume(session) }
        parts.folding.continuation.yield(id)
        parts.logger.notice("a federation was taken in", metadata: ["federation": "\(id)"])
        return session.snapshot
    }
}
