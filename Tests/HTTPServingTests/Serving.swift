import Foundation
import HTTPServing
import HTTPTypes
import Logging
import TestStage

/// Serves the given routes on a port of 127.0.0.1 while the body runs.
func serving<Result>(
    _ configure: (inout HTTPServer.Configuration) -> Void = { _ in },
    routes: (inout Router) -> Void,
    _ body: (UInt16) async throws -> Result
) async throws -> Result {
    var configuration = HTTPServer.Configuration.onAnyPort
    configuration.sweepInterval = .milliseconds(20)
    configure(&configuration)
    let server = HTTPServer.forTest(configuration, routes: routes)
    let port = try server.start().port
    do {
        let result = try await body(port)
        await server.shutdown(within: .seconds(5))
        return result
    } catch {
        await server.shutdown(within: .zero)
        throw error
    }
}

extension HTTPServer.Configuration {
    /// Tests share few processors with each other: a peer that waits for its turn is not a slow one. Tests that are about
    /// slow peers set their own limits.
    static var onAnyPort: HTTPServer.Configuration {
        var configuration = HTTPServer.Configuration()
        configuration.address = .tcp(host: "127.0.0.1", port: 0)
        configuration.limits.timeToHeaders = .seconds(600)
        configuration.limits.idleTime = .seconds(600)
        configuration.limits.bodyRateWindow = .seconds(600)
        configuration.limits.writeStallTime = .seconds(600)
        configuration.limits.lingerTime = .seconds(600)
        return configuration
    }
}

extension HTTPServer {
    func beginShutdown(within time: Duration) -> Task<Void, Never> {
        Task(executorPreference: OwnThread()) { await self.shutdown(within: time) }
    }

    /// Answers failures with their detail as text.
    static func forTest(_ configuration: Configuration, routes: (inout Router) -> Void) -> HTTPServer {
        var router = Router()
        routes(&router)
        return HTTPServer(
            configuration: configuration, router: router, renderFailure: { .text($0.detail, $0.status) },
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }
}

extension Response {
    static func text(_ text: String, _ status: HTTPResponse.Status = .ok) -> Response {
        Response(status: status, contentType: "text/plain", bytes: Array(text.utf8))
    }
}

/// A folder of the test's own, gone when the test is over.
final class TemporaryFolder: Sendable {
    let path: String

    init() throws {
        path = NSTemporaryDirectory() + "http-serving-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func file(_ name: String) -> String { path + "/" + name }

    var names: [String] { (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? [] }
}

/// Bytes that differ from place to place, so that a shifted or repeated block shows.
func pattern(_ count: Int) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(count + patternPeriod.count)
    while bytes.count < count { bytes += patternPeriod }
    return Array(bytes[..<count])
}

/// Of a prime length, which no block size divides.
private let patternPeriod = (0..<65_537).map { UInt8(truncatingIfNeeded: $0 &* 31 ^ $0 >> 8) }
