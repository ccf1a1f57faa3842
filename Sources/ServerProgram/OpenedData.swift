package import Federation
package import Logging
package import StoredRows

/// The opened place where a server keeps its data.
package struct OpenedData: Sendable {
    package let stores: Stores
    /// The clock by which rounds end.
    package let clock: any WallClock
    /// A local folder that this server alone uses, for rendered adapters.
    package let cacheFolder: String
    /// The local folders whose disks must not become full.
    package let folders: [String]
    /// The hash of the admin's token; throws where there is none and none can be made.
    package let adminTokenHash: @Sendable (_ environment: [String: String]) throws -> ContentDigest
    /// The number of servers that share the data, at least 1.
    package let serverCount: @Sendable () -> Int
    package let close: @Sendable () throws -> Void

    package init(
        stores: Stores, clock: any WallClock, cacheFolder: String, folders: [String],
        adminTokenHash: @escaping @Sendable (_ environment: [String: String]) throws -> ContentDigest,
        serverCount: @escaping @Sendable () -> Int = { 1 }, close: @escaping @Sendable () throws -> Void
    ) {
        self.stores = stores
        self.clock = clock
        self.cacheFolder = cacheFolder
        self.folders = folders
        self.adminTokenHash = adminTokenHash
        self.serverCount = serverCount
        self.close = close
    }
}

/// Opens data that several servers share. It is a program of its own, so that a server with a data folder needs neither
/// libpq nor libcurl.
package struct ClusterData: Sendable {
    package let open: @Sendable (ClusterSettings, Logger) throws -> OpenedData
    /// Opens the data to move federations; the second value closes it.
    package let openForMoving:
        @Sendable (ClusterSettings, Logger) throws -> (store: any MovableStore, close: @Sendable () throws -> Void)
    /// Keeps all objects for so many seconds under a name; with 0, ends that.
    package let pin: @Sendable (ClusterSettings, _ name: String, _ seconds: Int, Logger) throws -> Void

    package init(
        open: @escaping @Sendable (ClusterSettings, Logger) throws -> OpenedData,
        openForMoving:
            @escaping @Sendable (ClusterSettings, Logger) throws -> (
                store: any MovableStore, close: @Sendable () throws -> Void
            ),
        pin: @escaping @Sendable (ClusterSettings, _ name: String, _ seconds: Int, Logger) throws -> Void
    ) {
        self.open = open
        self.openForMoving = openForMoving
        self.pin = pin
    }
}
