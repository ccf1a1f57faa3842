import Crypto
import Logging
import MemoryObjects
import Synchronization

@testable import ObjectStorage

/// A server in memory and a bucket on it, whose calls wait for nothing between their tries.
final class MemoryStore: Sendable {
    static let credentials = Credentials(accessKeyID: "memory", secretAccessKey: "memory-secret")

    let server: ObjectServer
    let bucket: ObjectBucket
    let url: String
    let pauses = Pauses()

    init(
        configure: (inout ObjectBucket.Configuration) throws -> Void = { _ in },
        serve: (inout ObjectServer.Configuration) -> Void = { _ in }
    ) throws {
        var settings = ObjectServer.Configuration()
        settings.credentials = Self.credentials
        settings.buckets = ["updates"]
        serve(&settings)
        server = ObjectServer(settings, logger: .silent)
        url = try server.start()
        var configuration = try ObjectBucket.Configuration(url: "s3://updates/test")
        configuration.endpoint = url
        configuration.credentials = .fixed(Self.credentials)
        try configure(&configuration)
        bucket = try ObjectBucket(configuration, clock: .recording(pauses), logger: .silent)
    }
}

/// The pauses between tries, which are not waited for.
final class Pauses: Sendable {
    private let made = Mutex<[Duration]>([])
    var all: [Duration] { made.withLock { $0 } }
    func add(_ pause: Duration) { made.withLock { $0.append(pause) } }
}

extension CallClock {
    static func recording(_ pauses: Pauses) -> CallClock {
        var clock = CallClock.system
        clock.random = { 0.5 }
        clock.pause = { pause, _ in pauses.add(pause) }
        return clock
    }
}

extension Logger {
    static let silent = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
}

func digest(_ bytes: [UInt8]) -> [UInt8] { Array(SHA256.hash(data: bytes)) }

/// Bytes that differ from place to place.
func pattern(_ count: Int) -> [UInt8] { (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) } }
