import Coordinator
import CoordinatorAPI
import Federation
import Foundation
import HTTPFetching
import HTTPServing
import Logging
import RankwiseWire
import SQLiteStore

/// The whole server on a port of 127.0.0.1, over a real store in a folder of its own.
final class LiveServer: Sendable {
    static let admin = "an-admin-token-of-more-than-32-bytes"
    /// The token that may read the metrics and nothing else.
    static let metrics = "a-token-for-metrics-of-more-than-32-bytes"

    let url: String
    let routes: [RouteDeclaration]
    let metrics: ServerMetrics
    private let server: HTTPServer
    private let store: SQLiteStore
    private let work: Task<Void, Never>

    struct SystemClock: WallClock {
        func now() -> Timestamp { Timestamp(milliseconds: Int64(Date().timeIntervalSince1970 * 1000)) }
    }

    init(
        folder: String, clock: any WallClock = SystemClock(), limits: RateLimits = .unlimited,
        quotas: Quotas = Quotas(), labelledFederations: Int = 10,
        logger: Logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
    ) async throws {
        store = try SQLiteStore(directory: folder, logger: logger)
        metrics = ServerMetrics(version: "test", folders: [folder], federationLimit: labelledFederations)
        let services = Services(
            stores: Stores(store),
            cache: try AdapterCache(folder: folder + "/cache", byteLimit: 1 << 20),
            access: Access(
                mode: .tokens(admin: Access.hash(Self.admin), metrics: Access.hash(Self.metrics)), clock: clock,
                limits: limits),
            clock: clock, quotas: quotas, threads: 2, metrics: metrics.factory, logger: logger)
        try await services.resume()
        let api = RankwiseAPI(
            services: services, about: .init(version: "test", limits: [:]), metrics: metrics, logger: logger)
        routes = api.declaredRoutes
        var configuration = HTTPServer.Configuration()
        configuration.address = .tcp(host: "127.0.0.1", port: 0)
        configuration.trustedProxies = [AddressRange("127.0.0.0/8")].compactMap(\.self)
        // Tests share two processors with each other: one that waits for its turn is not a slow peer.
        configuration.limits.timeToHeaders = .seconds(600)
        configuration.limits.bodyRateWindow = .seconds(600)
        configuration.limits.writeStallTime = .seconds(600)
        configuration.metrics = metrics.factory
        server = HTTPServer(
            configuration: configuration, router: api.router, renderFailure: { api.render($0) }, logger: logger)
        url = "http://\(try server.start())"
        metrics.read(server)
        work = Task { await services.run(tickEvery: .milliseconds(20)) }
    }

    func stop() async throws {
        await server.shutdown(within: .seconds(2))
        work.cancel()
        await work.value
        try store.close()
    }
}

/// One who calls the server with a token.
struct Caller: Sendable {
    let url: String
    let token: String?
    private let fetcher: HTTPFetcher

    init(_ server: LiveServer, token: String?) throws {
        url = server.url
        self.token = token
        fetcher = try HTTPFetcher()
    }

    func call(
        _ method: FetchRequest.Method, _ path: String, body: String? = nil, file: String? = nil,
        bytes: [UInt8]? = nil, fields: [HTTPField] = []
    ) async throws -> FetchResponse {
        let authorization = token.map { [HTTPField("Authorization", "Bearer \($0)")] } ?? []
        return try await fetcher.fetch(
            FetchRequest(
                method, url + path, fields: authorization + fields,
                body: file.map { .file(path: $0) } ?? (bytes ?? body.map { Array($0.utf8) }).map { .bytes($0) } ?? .none
            ))
    }

    func get<Body: Decodable>(_ type: Body.Type, _ path: String) async throws -> Body {
        try WireJSON.decode(type, from: Data(try await call(.get, path).body))
    }

    /// Status and stable code of an error answer.
    func refusal(
        _ method: FetchRequest.Method, _ path: String, body: String? = nil, file: String? = nil
    ) async throws -> String {
        let response = try await call(method, path, body: body, file: file)
        let problem = try WireJSON.decode(Problem.self, from: Data(response.body))
        return "\(response.status) \(problem.code)"
    }
}
