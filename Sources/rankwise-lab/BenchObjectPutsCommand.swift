import ArgumentParser
import Foundation
import ObjectStorage
import Synchronization

/// `rankwise-lab bench object-puts`: how many small objects a store takes in a second.
struct BenchObjectPutsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "object-puts",
        abstract: "Measure how many small objects a store takes in a second.",
        discussion: """
            Puts objects into a bucket with the client that the servers use, over as many connections, and prints one \
            line of JSON. The key comes from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY. The objects stay, under the URL's \
            prefix.

              rankwise-lab bench object-puts s3://rankwise/trial --endpoint http://127.0.0.1:9000
            """)

    @Argument(help: "The bucket and a prefix: s3://BUCKET/PREFIX.") var bucket: String
    @Option(help: "The store's address.") var endpoint: String
    @Option(help: "How many objects are put at the same time.") var connections = 32
    @Option(help: "The length of an object, in bytes.") var bytes = 700
    @Option(help: "For how many seconds objects are put.") var seconds = 5.0

    func validate() throws {
        guard (1...1024).contains(connections) else { throw ValidationError("--connections must be 1 to 1024.") }
        guard (1...1 << 20).contains(bytes) else { throw ValidationError("--bytes must be 1 to 1048576.") }
        guard seconds > 0, seconds <= 3600 else { throw ValidationError("--seconds must be above 0, at most 3600.") }
    }

    private struct Report: Encodable {
        let puts: Int
        let seconds: Double
        let perSecond: Double
    }

    func run() async throws {
        let store: ObjectBucket
        do throws(ObjectError) {
            var settings = try ObjectBucket.Configuration(url: bucket)
            (settings.endpoint, settings.connections) = (endpoint, connections)
            store = try ObjectBucket(settings)
        } catch {
            throw LabFailure.shown(error)
        }
        let clock = ContinuousClock()
        let began = clock.now
        let end = began.advanced(by: .seconds(seconds))
        let body = (0..<bytes).map { _ in UInt8.random(in: .min ... .max) }
        let puts = try await withThrowingTaskGroup(of: Int.self) { group in
            for lane in 0..<connections {
                group.addTask {
                    var count = 0
                    while clock.now < end {
                        try await store.put("\(lane)-\(count)", body)
                        count += 1
                    }
                    return count
                }
            }
            return try await group.reduce(0, +)
        }
        let took = began.duration(to: clock.now) / .seconds(1)
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        let report = Report(puts: puts, seconds: took, perSecond: Double(puts) / took)
        try FileHandle.standardOutput.write(contentsOf: encoder.encode(report) + Data("\n".utf8))
    }
}
