import ArgumentParser
import Coordinator
import CoordinatorAPI
import CoreMetrics
import Dispatch
import Federation
import Foundation
import HTTPServing
import Logging
import ProcessSignals
import SettingsFiles

/// Runs the server until SIGTERM or SIGINT.
struct ServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve",
        abstract: "Serve federations over HTTP.",
        discussion: """
            Settings come from flags, then from the environment (RANKWISE_LISTEN, RANKWISE_DATA, RANKWISE_AUTH, \
            RANKWISE_TLS_CERTIFICATE, RANKWISE_TLS_KEY, RANKWISE_TLS_CLIENT_CA, RANKWISE_TLS_CLIENT_CERTIFICATES, \
            RANKWISE_PLAIN_HTTP, RANKWISE_LOG_LEVEL, RANKWISE_LOG_FORMAT), then from --config, then from defaults. The \
            admin's token is RANKWISE_ADMIN_TOKEN, else DATA/admin.token, which the first start makes.

            Several servers share --data postgresql://… and --objects s3://…; each has a --scratch folder of its own, and a \
            --role: serve answers calls, work aggregates rounds, both does both.

            With --upstream URL it serves the root's federation to clients of its own, as a region: the root gets one \
            partial sum of them in each round.

            SIGTERM and SIGINT stop it once the requests in flight are answered. SIGHUP has it read the certificates and \
            the log level again; connections stay. Of systemd it takes the socket of a .socket unit.
            """)

    @Option(help: "A settings document such as Config/server.yaml.") var config: String?
    @OptionGroup var flags: ServerFlags

    func run() async throws {
        let environment = ProcessInfo.processInfo.environment
        let settings: ServerSettings
        do {
            settings = try read(environment)
        } catch {
            throw ValidationError("\(error)")
        }
        let logger = Self.bootstrapLogging(settings)
        do {
            try await serve(settings, environment: environment, logger: logger)
        } catch {
            logger.critical("\(error)")
            throw ExitCode.failure
        }
    }

    private func read(_ environment: [String: String]) throws -> ServerSettings {
        let file = try config.map { try ConfigFile.read(ServerDocument.self, from: $0) } ?? ServerDocument()
        return try ServerSettings(file: file, flags: flags, environment: environment)
    }

    private func serve(_ settings: ServerSettings, environment: [String: String], logger: Logger) async throws {
        let data = try open(settings, logger)
        let mode: Access.Mode =
            settings.usesTokens
            ? .tokens(admin: try data.adminTokenHash(environment), metrics: try settings.metrics.tokenHash()) : .none
        let metrics =
            settings.metrics.isEnabled
            ? ServerMetrics(
                version: RankwiseServer.version, folders: data.folders, federationLimit: settings.metrics.federations)
            : nil
        let services = Services(
            stores: data.stores,
            cache: try AdapterCache(folder: data.cacheFolder, byteLimit: settings.cacheBytes),
            access: Access(mode: mode, clock: data.clock, limits: settings.rates, serverCount: data.serverCount),
            clock: data.clock, quotas: settings.quotas, threads: ProcessInfo.processInfo.activeProcessorCount,
            uploadLimits: settings.uploadLimits, partLimits: settings.partLimits,
            metrics: metrics?.factory ?? NOOPMetricsHandler.instance, logger: logger)
        try await services.resume()
        let stop = StopSignal()
        let server = settings.role.serves ? try start(settings, services, metrics, logger) : nil
        let scraped = try metrics.flatMap { try serve($0, of: services, settings, logger) }
        if server == nil {
            try FileHandle.standardOutput.write(contentsOf: Data("working\n".utf8))
            logger.info("working", metadata: ["data": "\(settings.place)"])
        }
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await services.run(aggregating: settings.role.works) }
            if let upstream = settings.upstream, let link = RankwiseServer.upstream {
                group.addTask { await link.follow(upstream, services, logger) }
            }
            let name = await stop.received { reload(server, environment, logger) }
            logger.info("stopping", metadata: ["signal": "\(name)"])
            await server?.shutdown(within: .seconds(settings.drainSeconds))
            await scraped?.shutdown(within: .seconds(settings.drainSeconds))
            group.cancelAll()
        }
        try data.close()
        logger.info("stopped")
    }

    private func open(_ settings: ServerSettings, _ logger: Logger) throws -> OpenedData {
        if settings.upstream != nil, RankwiseServer.upstream == nil {
            try ClusterHandover.take(since: "upstream names a root")
        }
        guard let shared = settings.cluster else { return try DataFolder.open(settings.data, logger: logger) }
        guard let cluster = RankwiseServer.cluster else {
            try ClusterHandover.take(since: "data names PostgreSQL")
        }
        do {
            return try cluster.open(shared, logger)
        } catch let error as StoreError {
            throw StoreFailure(error)
        }
    }

    /// Listens, and says where on the standard output.
    private func start(
        _ settings: ServerSettings, _ services: Services, _ metrics: ServerMetrics?, _ logger: Logger
    ) throws -> HTTPServer {
        let api = RankwiseAPI(
            services: services,
            about: .init(
                version: RankwiseServer.version,
                limits: ["body_bytes": settings.limits.bodyBytes, "connections": settings.limits.connections]),
            metrics: metrics, logger: logger)
        var configuration = HTTPServer.Configuration()
        configuration.address = settings.address
        configuration.limits = settings.limits
        configuration.tls = settings.tls
        configuration.trustedProxies = settings.trustedProxies
        configuration.metrics = metrics?.factory
        let server = HTTPServer(
            configuration: configuration, router: api.router, renderFailure: { api.render($0) }, logger: logger)
        let address = try server.start()
        metrics?.read(server)
        let place = if case .unix = address.host { "\(address)" } else { "\(settings.scheme)://\(address)" }
        try FileHandle.standardOutput.write(contentsOf: Data("listening on \(place)\n".utf8))
        logger.info("serving", metadata: ["address": "\(address)", "data": "\(settings.place)"])
        return server
    }

    /// Listens for scrapes on a port of their own; nil where the settings name none.
    private func serve(
        _ metrics: ServerMetrics, of services: Services, _ settings: ServerSettings, _ logger: Logger
    ) throws -> HTTPServer? {
        guard let wanted = settings.metrics.address else { return nil }
        var configuration = HTTPServer.Configuration()
        configuration.address = wanted
        configuration.shards = 1
        configuration.limits = settings.limits
        let server = HTTPServer(
            configuration: configuration, router: RankwiseAPI.metricsRouter(metrics, services),
            renderFailure: { RankwiseAPI.answer(to: $0) }, logger: logger)
        let address = try server.start()
        let place = if case .unix = address.host { "\(address)" } else { "http://\(address)" }
        try FileHandle.standardOutput.write(contentsOf: Data("metrics on \(place)/metrics\n".utf8))
        logger.info("serving metrics", metadata: ["address": "\(address)"])
        return server
    }

    /// Handles SIGHUP: reads the log level and the certificates' files again.
    private func reload(_ server: HTTPServer?, _ environment: [String: String], _ logger: Logger) {
        do {
            ReloadableLogHandler.use(try read(environment).logLevel)
            try server?.reloadCertificates()
            logger.notice("read certificates and log level again; other settings count from the next start")
        } catch {
            logger.error("the server goes on as it was", metadata: ["reason": "\(error)"])
        }
    }

    private static func bootstrapLogging(_ settings: ServerSettings) -> Logger {
        let json = settings.logsJSON
        ReloadableLogHandler.use(settings.logLevel)
        LoggingSystem.bootstrap { label in
            ReloadableLogHandler(
                json ? JSONLogHandler(label: label) : StreamLogHandler.standardError(label: label))
        }
        return Logger(label: "rankwise-server")
    }
}
