import Coordinator
import CoordinatorAPI
import Federation
import Foundation
import HTTPServing
import Logging
import SQLiteStore

/// The whole server in this process, on a port of 127.0.0.1 that the system chooses, with a store in a folder.
final class LoopbackServer: Sendable {
    let url: String
    /// The admin's token, valid only for this server.
    let admin: String
    private let server: HTTPServer
    private let store: SQLiteStore
    private let work: Task<Void, Never>

    /// - Parameter threads: how many threads aggregate.
    init(folder: String, threads: Int) async throws {
        let logger = Logger(label: "rankwise-lab") { _ in SwiftLogNoOpLogHandler() }
        admin = "\(UUID().uuidString)\(UUID().uuidString)"
        store = try SQLiteStore(directory: folder, logger: logger)
        // All clients call from one address.
        let services = Services(
            stores: Stores(store),
            cache: try AdapterCache(folder: folder + "/cache", byteLimit: 1 << 28),
            access: Access(mode: .tokens(admin: Access.hash(admin)), clock: SystemClock(), limits: .unlimited),
            clock: SystemClock(), threads: threads, logger: logger)
        try await services.resume()
        let api = RankwiseAPI(services: services, about: .init(version: "simulation", limits: [:]), logger: logger)
        var configuration = HTTPServer.Configuration()
        configuration.address = .tcp(host: "127.0.0.1", port: 0)
        server = HTTPServer(
            configuration: configuration, router: api.router, renderFailure: { api.render($0) }, logger: logger)
        url = "http://\(try server.start())"
        work = Task { await services.run(tickEvery: .milliseconds(50)) }
    }

    func stop() async {
        await server.shutdown(within: .seconds(2))
        work.cancel()
        await work.value
        try? store.close()
    }
}
