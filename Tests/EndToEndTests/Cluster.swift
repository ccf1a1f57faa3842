import Foundation
import Logging
import MemoryObjects
import TestStage
import Testing

/// A database and a bucket of a test's own, and `rankwise-server` processes that share them.
final class Cluster {
    let folder = NSTemporaryDirectory() + "rankwise-cluster-\(UUID().uuidString)"
    let schema = "test_" + UUID().uuidString.lowercased().replacing("-", with: "")
    let objects: ObjectServer
    private let endpoint: String

    init() throws {
        var configuration = ObjectServer.Configuration()
        configuration.buckets = ["rankwise"]
        objects = ObjectServer(configuration, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        endpoint = try objects.start()
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        // libpq makes no schema.
        try psql("CREATE SCHEMA \(schema)")
    }

    deinit {
        _ = try? psql("DROP SCHEMA \(schema) CASCADE")
        try? FileManager.default.removeItem(atPath: folder)
    }

    /// Starts a server.
    ///
    /// - Parameter settings: further lines of its settings.
    func server(_ name: String, settings: String = "", _ extra: [String] = []) throws -> Program {
        let database = try #require(ClusterDatabase.url)
        let config = "\(folder)/\(name).yaml"
        try """
        object_storage: {endpoint: "\(endpoint)"}
        postgres: {durability: lone, connections: 2}
        \(settings)
        """.write(toFile: config, atomically: true, encoding: .utf8)
        return try Program(
            "rankwise-server",
            [
                "serve", "--config", config, "--listen", "127.0.0.1:0", "--data",
                "\(database)?options=-csearch_path%3D\(schema)", "--objects", "s3://rankwise/\(schema)", "--scratch",
                "\(folder)/\(name)",
            ] + extra,
            environment: [
                "RANKWISE_ADMIN_TOKEN": ExactFederation.admin, "AWS_ACCESS_KEY_ID": "memory",
                "AWS_SECRET_ACCESS_KEY": "memory-secret",
            ])
    }

    /// Runs a statement in the cluster's schema and returns its answer.
    @discardableResult
    func psql(_ statement: String) throws -> String {
        let program = try Program([
            "/usr/lib/postgresql/15/bin/psql", "-XAtq", "-c", "SET client_min_messages = warning", "-c",
            "SET search_path = \(schema)", "-c", statement, try #require(ClusterDatabase.url),
        ])
        let text = program.text().trimmingCharacters(in: .whitespacesAndNewlines)
        #expect(program.exitStatus() == 0, "\(statement)")
        return text
    }

    /// Asks the database until it answers so.
    func wait(for answer: String, to query: String) throws { while try psql(query) != answer {} }
}

/// The database that `RANKWISE_TEST_POSTGRES` names.
enum ClusterDatabase {
    static let url = ProcessInfo.processInfo.environment["RANKWISE_TEST_POSTGRES"]
}

extension Program {
    /// The address that a server prints when it listens.
    func address() throws -> String { try #require(firstLine().split(separator: " ").last.map(String.init)) }
}
