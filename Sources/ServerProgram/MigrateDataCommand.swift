import ArgumentParser
import Federation
import Foundation
import Logging
import SQLiteStore
import SettingsFiles
import StoredRows

/// Moves a stopped server's data between a folder and PostgreSQL with a bucket.
struct MigrateDataCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "migrate-data",
        abstract: "Copy all federations between a data folder and PostgreSQL with a bucket.",
        discussion: """
            One of FROM and TO is a data folder, the other a connection string such as postgresql://host/db; --objects or \
            --config say where the bytes go. No server may use either meanwhile. FROM stays as it is. Uploads that have \
            not arrived completely do not come along; their clients begin anew.

              rankwise-server migrate-data ./data postgresql://db.example/rankwise --objects s3://rankwise/prod
            """)

    @Argument(help: "A data folder or postgresql://….") var from: String
    @Argument(help: "A data folder or postgresql://….") var to: String
    @Option(help: "The server's settings document, for object_storage and postgres.") var config: String?
    @Option(help: "Where the bytes are: s3://bucket/prefix (default: the document's).") var objects: String?

    func run() throws {
        let (source, target) = (ClusterSettings.isDatabase(from), ClusterSettings.isDatabase(to))
        guard source != target else {
            throw ValidationError(
                "FROM is '\(ClusterSettings.withoutPassword(from))' and TO is '\(ClusterSettings.withoutPassword(to))'; "
                    + "expected one folder and one postgresql://…")
        }
        guard let cluster = RankwiseServer.cluster else { try ClusterHandover.take(since: "data names PostgreSQL") }
        let logger = Logger(label: "rankwise-server")
        let folderPath = source ? to : from
        guard source || FileManager.default.fileExists(atPath: folderPath + "/rankwise.sqlite") else {
            throw ValidationError("FROM is '\(from)', which holds no rankwise.sqlite")
        }
        let folder = try SQLiteStore(directory: folderPath, logger: logger)
        let database = try cluster.openForMoving(try settings(source ? from : to), logger)
        do {
            if source {
                try move(database.store, folder)
            } else {
                try move(folder, database.store)
            }
            try database.close()
            try folder.close()
        } catch let error as StoreError {
            throw StoreFailure(error)
        }
    }

    private func settings(_ database: String) throws -> ClusterSettings {
        do {
            var file = try config.map { try ConfigFile.read(ServerDocument.self, from: $0) } ?? ServerDocument()
            file.data = database
            if let objects { file.objects = objects }
            let scratch = NSTemporaryDirectory() + "rankwise-migrate-\(UUID().uuidString)"
            file.scratch = scratch
            guard let cluster = try ServerSettings.cluster(file, nil, [:]) else {
                throw ValidationError("\(ClusterSettings.withoutPassword(database)) is no connection string")
            }
            return cluster
        } catch let error as SettingsError {
            throw ValidationError("\(error)")
        }
    }

    private func move(_ source: any MovableStore, _ target: any MovableStore) throws {
        for id in try source.federationIDs() {
            guard let federation = try source.movable(id) else { continue }
            let isNew = try take(federation, into: target)
            print("\(id): \(isNew ? "moved" : "is there already, and stays as it is")")
        }
        try moveDeparted(source, target)
    }

    /// Returns false where the name is taken.
    private func take(_ federation: any FederationSource, into target: any MovableStore) throws(StoreError) -> Bool {
        do throws(StoreError) {
            try target.take(federation)
            return true
        } catch {
            guard error == .exists else { throw error }
            return false
        }
    }

    private func moveDeparted(_ source: any MovableStore, _ target: any MovableStore) throws {
        let known = Set(try target.departed().compactMap { $0.first ?? nil })
        let departed = try source.departed().filter { row in row.first.map { !known.contains($0 ?? .text("")) } ?? false
        }
        try target.takeDeparted(departed)
    }
}
