import Coordinator
import Federation
import Logging
import SQLiteStore

/// Opens a data folder, which one server owns.
enum DataFolder {
    static func open(_ path: String, logger: Logger) throws -> OpenedData {
        let store = try SQLiteStore(directory: path, logger: logger)
        return OpenedData(
            stores: Stores(store), clock: SystemClock(), cacheFolder: path + "/cache", folders: [path],
            adminTokenHash: { try AdminToken.hash(dataFolder: path, environment: $0) },
            close: { try store.close() })
    }
}
