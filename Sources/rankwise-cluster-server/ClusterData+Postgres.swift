import Coordinator
import Federation
import Foundation
import Logging
import ObjectStorage
import PostgresStore
import ServerProgram
import StoredRows

extension ClusterData {
    /// PostgreSQL and an S3-compatible bucket.
    static var postgres: ClusterData {
        ClusterData(
            open: { settings, logger in
                let store = try PostgresStore.open(settings, logger)
                return OpenedData(
                    stores: Stores(store), clock: store.clock, cacheFolder: settings.scratch + "/cache",
                    folders: [settings.scratch],
                    adminTokenHash: { environment in
                        let own = try AdminToken.hash(dataFolder: settings.scratch, environment: environment)
                        // The environment's token goes before the shared one, so that it can be changed.
                        if environment["RANKWISE_ADMIN_TOKEN"] != nil { return own }
                        return try store.shared("admin.token", orFirst: own)
                    },
                    serverCount: { store.serverCount }, close: { try store.close() })
            },
            openForMoving: { settings, logger in
                let store = try PostgresStore.open(settings, logger)
                return (
                    store,
                    {
                        try store.close()
                        try? FileManager.default.removeItem(atPath: settings.scratch)
                    }
                )
            },
            pin: { settings, name, seconds, logger in
                try PostgresStore.pin(name, seconds: seconds, in: settings.database, logger: logger)
            })
    }
}

extension PostgresStore {
    fileprivate static func open(_ settings: ClusterSettings, _ logger: Logger) throws -> PostgresStore {
        var bucket = try ObjectBucket.Configuration(url: settings.objects)
        let storage = settings.storage
        bucket.endpoint = storage.endpoint
        if let region = storage.region { bucket.region = region }
        bucket.pathStyle = storage.pathStyle
        bucket.authority = storage.authority
        if let connections = storage.connections { bucket.connections = connections }
        if let path = storage.credentialsFile {
            bucket.credentials = .file(path: path, profile: storage.credentialsProfile ?? "default")
        } else if let command = storage.credentialsCommand {
            bucket.credentials = .command(command)
        }
        var configuration = PostgresStore.Configuration(url: settings.database, scratch: settings.scratch)
        configuration.works = settings.works
        let postgres = settings.postgres
        if let durability = postgres.durability.flatMap(PostgresStore.Configuration.Durability.init) {
            configuration.durability = durability
        }
        if let connections = postgres.connections { configuration.connections = connections }
        if let patience = postgres.patienceSeconds { configuration.patience = patience }
        return try PostgresStore(
            configuration, objects: try ObjectBucket(bucket, logger: logger), logger: logger)
    }
}
