import Foundation
import Testing

@testable import ObjectStorage

/// A store that the tests of operations run against.
struct TestedStore: Sendable, CustomTestStringConvertible {
    /// Nil for a server in memory, which each test gets for itself.
    private struct Real: Sendable {
        let endpoint: String
        let bucket: String
    }

    private let real: Real?
    let credentials: Credentials

    var testDescription: String { real == nil ? "memory" : "real" }

    /// `RANKWISE_TEST_S3` is ENDPOINT,BUCKET,ACCESS-KEY,SECRET.
    static let all: [TestedStore] = {
        let memory = TestedStore(real: nil, credentials: MemoryStore.credentials)
        guard let line = ProcessInfo.processInfo.environment["RANKWISE_TEST_S3"] else { return [memory] }
        let words = line.split(separator: ",").map(String.init)
        precondition(words.count == 4, "RANKWISE_TEST_S3 is ENDPOINT,BUCKET,ACCESS-KEY,SECRET")
        return [
            memory,
            TestedStore(
                real: Real(endpoint: words[0], bucket: words[1]),
                credentials: Credentials(accessKeyID: words[2], secretAccessKey: words[3])),
        ]
    }()

    /// A bucket with a prefix of its own, and what ends its server.
    func open(
        _ configure: (inout ObjectBucket.Configuration) throws -> Void = { _ in }
    ) throws -> (ObjectBucket, end: () -> Void) {
        guard let real else {
            let store = try MemoryStore(configure: configure)
            return (store.bucket, { withExtendedLifetime(store) {} })
        }
        var configuration = ObjectBucket.Configuration(
            location: try BucketLocation(bucket: real.bucket, prefix: "test/\(UUID().uuidString)"))
        configuration.endpoint = real.endpoint
        configuration.credentials = .fixed(credentials)
        try configure(&configuration)
        return (try ObjectBucket(configuration, logger: .silent), {})
    }
}
