package import Federation
package import Logging

/// Pins keep objects while a backup reads.
extension PostgresStore {
    /// For so many seconds no server deletes an object; 0 ends the pin.
    package static func pin(
        _ name: String, seconds: Int, in database: String, logger: Logger
    ) throws(StoreError) {
        let pool = PostgresPool(database, connections: 1, patience: 10, logger: logger)
        defer { pool.close() }
        _ = try pool.runBlocking { connection in
            if seconds == 0 {
                try connection.run("DELETE FROM pins WHERE id = $1", [name])
            } else {
                try connection.run(
                    """
                    INSERT INTO pins (id, until) VALUES ($1, now_ms() + $2)
                    ON CONFLICT (id) DO UPDATE SET until = excluded.until
                    """, [name, seconds * 1000])
            }
        }
    }
}
