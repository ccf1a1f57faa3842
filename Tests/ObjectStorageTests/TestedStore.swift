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

    /// What a real store is known not to keep. Its tests then must fail, so that this list stays true.
    enum Lack: String, Sendable, CaseIterable {
        /// It stores bytes that have another SHA-256 than the signed one.
        case digest
        /// It answers a range beyond the object's end by another error than 416.
        case range
        /// It takes a percent sign in a key for an escape.
        case percent
    }

    private let real: Real?
    let credentials: Credentials
    private var lacking: Set<Lack> = []

    var testDescription: String { real == nil ? "memory" : "real" }

    func lacks(_ lack: Lack) -> Bool { lacking.contains(lack) }

    /// `RANKWISE_TEST_S3` is ENDPOINT,BUCKET,ACCESS-KEY,SECRET, and `RANKWISE_TEST_S3_LACKS` has names of `Lack`.
    static let all: [TestedStore] = {
        let memory = TestedStore(real: nil, credentials: MemoryStore.credentials)
        let variables = ProcessInfo.processInfo.environment
        guard let line = variables["RANKWISE_TEST_S3"] else { return [memory] }
        let words = line.split(separator: ",").map(String.init)
        precondition(words.count == 4, "RANKWISE_TEST_S3 is ENDPOINT,BUCKET,ACCESS-KEY,SECRET")
        return [
            memory,
            TestedStore(
                real: Real(endpoint: words[0], bucket: words[1]),
                credentials: Credentials(accessKeyID: words[2], secretAccessKey: words[3]),
                lacking: Set(
                    (variables["RANKWISE_TEST_S3_LACKS"] ?? "").split(separator: ",").map { word in
                        guard let lack = Lack(rawValue: String(word)) else {
                            preconditionFailure("RANKWISE_TEST_S3_LACKS has \(word); known: \(Lack.allCases)")
                        }
                        return lack
                    })),
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
