package import Federation
import Logging
import ObjectStorage
import StoredRows

/// Objects that no row ever named: their server was killed between the upload and the commit.
extension PostgresStore {
    /// Deletes the objects without a row that are older than `seconds`. While a pin stands, or while another server
    /// does it, it does nothing.
    ///
    /// - Returns: how many objects were deleted.
    @discardableResult
    package func sweepOrphans(olderThan seconds: Double = 86_400) async throws(StoreError) -> Int {
        var deleted = 0
        for prefix in ["b/", "p/", "r/"] {
            var page: ObjectPage?
            repeat {
                do throws(ObjectError) {
                    page = try await objects.list(prefix, after: page?.next)
                } catch {
                    throw error.storeError
                }
                let limit = clock.now().adding(seconds: -seconds).milliseconds / 1000
                let old = (page?.objects ?? []).filter { $0.modified <= limit }.map(\.key)
                let orphans = try await withoutRow(old)
                guard let orphans else { return deleted }
                do throws(ObjectError) { try await objects.delete(orphans) } catch { throw error.storeError }
                deleted += orphans.count
            } while page?.next != nil
        }
        if deleted > 0 { logger.notice("objects without a row were deleted", metadata: ["objects": "\(deleted)"]) }
        return deleted
    }

    /// Those of the objects that no row names; nil while a pin stands or another server looks.
    private func withoutRow(_ keys: [String]) async throws(StoreError) -> [String]? {
        try await transact { connection in
            let lock = try connection.run("SELECT pg_try_advisory_xact_lock(7295063603) AS mine").first
            let pinned = try connection.run("SELECT 1 AS one FROM pins WHERE until > now_ms() LIMIT 1").first
            guard try lock?.value("mine") == true, pinned == nil else { return nil }
            guard !keys.isEmpty else { return [] }
            let array = "{" + keys.map { "\"\($0)\"" }.joined(separator: ",") + "}"
            return try connection.run(
                """
                SELECT key FROM unnest($1::text[]) AS listed(key)
                WHERE NOT EXISTS (SELECT 1 FROM updates WHERE object = key)
                  AND NOT EXISTS (SELECT 1 FROM templates WHERE object = key)
                  AND NOT EXISTS (SELECT 1 FROM adapter_parts WHERE object = key)
                  AND NOT EXISTS (SELECT 1 FROM round_parts WHERE object = key)
                  AND NOT EXISTS (SELECT 1 FROM segments WHERE object = key)
                  AND NOT EXISTS (SELECT 1 FROM garbage WHERE object = key)
                """, [array]
            ).rows.map { try $0.value("key") }
        }
    }
}
