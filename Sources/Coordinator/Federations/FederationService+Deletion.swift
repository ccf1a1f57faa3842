package import Federation
import Logging

extension FederationService {
    /// Deletes a federation, also one that is set aside.
    ///
    /// Its rows, updates and adapters are deleted, its tokens become unknown, and all waits for it end.
    ///
    /// - Parameter releasing: whether another federation may take its name.
    /// - Returns: the record that stays of it.
    package func delete(_ id: FederationID, releasing: Bool) async throws(ServiceError) -> DepartedFederation {
        let session: FederationSession?
        do throws(ServiceError) { session = try runtime.session(id) } catch .setAside { session = nil }
        // From here on no call finds it. A step that is being stored either ends before the deletion or is refused.
        runtime.remove(id)
        do throws(StoreError) {
            let departed = try await metadata.delete(id, releasing: releasing, at: clock.now())
            access.forget(tokensOf: id)
            session?.watchers.endAll()
            cache.forget(id)
            logger.notice(
                "a federation was deleted",
                metadata: ["federation": "\(id)", "head": "\(departed.head)", "released": "\(releasing)"])
            return departed
        } catch {
            if let session { runtime.putBack(session) } else { runtime.setAside(id) }
            throw .store(error)
        }
    }
}
