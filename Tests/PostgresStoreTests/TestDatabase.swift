import Crypto
import Foundation
import Logging
import MemoryObjects
import ObjectStorage
import Synchronization

@testable import PostgresStore

/// A real PostgreSQL for tests: `RANKWISE_TEST_POSTGRES` has its URL. Each test has a schema of its own.
enum TestDatabase {
    static let url = ProcessInfo.processInfo.environment["RANKWISE_TEST_POSTGRES"]
    static var isThere: Bool { url != nil }

    /// The URL of a schema, which is made where it is missing.
    static func url(ofSchema schema: String) throws -> String {
        guard let url else { throw Missing() }
        try PostgresConnection(url).runSimple("CREATE SCHEMA IF NOT EXISTS \"\(schema)\"")
        return url + (url.contains("?") ? "&" : "?") + "options=-csearch_path%3D\(schema)"
    }

    static func drop(schema: String) throws {
        guard let url else { throw Missing() }
        let connection = try PostgresConnection(url)
        try connection.runSimple("SET client_min_messages = warning; DROP SCHEMA IF EXISTS \"\(schema)\" CASCADE")
    }

    struct Missing: Error {}
}

/// The bucket of all tests: that of `RANKWISE_TEST_S3` (endpoint, bucket, access key and secret, separated by commas),
/// or one in memory behind a real socket.
enum TestObjects {
    static let shared = Result { try TestObjectsServer() }

    static func bucket(prefix: String) throws -> ObjectBucket {
        let server = try shared.get()
        var configuration = ObjectBucket.Configuration(
            location: try BucketLocation(bucket: server.bucket, prefix: prefix))
        configuration.endpoint = server.endpoint
        configuration.credentials = .fixed(server.credentials)
        return try ObjectBucket(configuration, logger: TestObjectsServer.quiet)
    }
}

struct TestObjectsServer: Sendable {
    static let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    let endpoint: String
    let bucket: String
    let credentials: Credentials
    private let memory: ObjectServer?

    init() throws {
        if let text = ProcessInfo.processInfo.environment["RANKWISE_TEST_S3"], !text.isEmpty {
            let parts = text.split(separator: ",").map(String.init)
            guard parts.count == 4 else { throw TestDatabase.Missing() }
            (endpoint, bucket) = (parts[0], parts[1])
            credentials = Credentials(accessKeyID: parts[2], secretAccessKey: parts[3])
            memory = nil
            return
        }
        var configuration = ObjectServer.Configuration()
        configuration.buckets = ["rankwise"]
        let server = ObjectServer(configuration, logger: Self.quiet)
        endpoint = try server.start()
        bucket = "rankwise"
        credentials = configuration.credentials
        memory = server
    }
}
