package import Federation
import Logging

extension FederationService {
    /// Deletes a federation: its rows, updates and adapters go, its tokens are nobody's any more, who waits is let go.
    ///
    /// - Parameter releasing: whether another federation may take its name.
    /// - Returns: what stays of it.
    package func delete(_ id: FederationID, releasing: Bool) async throws(ServiceError) -> DepartedFederation {
        let session = try parts.registry.session(id)
        // From here on nobody finds it; a step that is being stored ends before it, or is refused.
        parts.registry.remove(id)
        do throws(StoreError) {
            let departed = try await parts.store.delete(id, releasing: releasing, at: parts.clock.now())
            parts.access.forget(tokensOf: id)
            session.watchers.endAll()
            parts.cache.forget(id)
            parts.logger.notice(
                "a federation was deleted",
                metadata: ["federation": "\(id)", "head": "\(departed.head)", "released": "\(releasing)"])
            return departed
        } catch {
            parts.registry.add(session)
            throw .store(error)
        }
    }
}
