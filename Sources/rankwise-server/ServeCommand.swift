import ArgumentParser
import Coordinator
import CoordinatorAPI
import Dispatch
import Federation
import Foundation
import HTTPServing
import Logging
import ProcessSignals
import SQLiteStore

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
        let store = try SQLiteStore(directory: settings.data, logger: logger)
        let mode: Access.Mode =
            settings.usesTokens
            ? .tokens(admin: try AdminToken.hash(dataFolder: settings.data, environment: environment)) : .none
        let services = Services(
            stores: Stores(store),
            cache: try AdapterCache(folder: settings.data + "/cache", byteLimit: settings.cacheBytes),
            access: Access(mode: mode, clock: SystemClock(), limits: settings.rates), clock: SystemClock(),
            quotas: settings.quotas, threads: ProcessInfo.processInfo.activeProcessorCount,
            uploadLimits: settings.uploadLimits, logger: logger)
        try await services.resume()
        let api = RankwiseAPI(
            services: services,
            about: .init(
                version: RankwiseServer.version,
                limits: ["body_bytes": settings.limits.bodyBytes, "connections": settings.limits.connections]),
            logger: logger)
        var configuration = HTTPServer.Configuration()
        configuration.address = settings.address
        configuration.limits = settings.limits
        configuration.tls = settings.tls
        configuration.trustedProxies = settings.trustedProxies
        let server = HTTPServer(
            configuration: configuration, router: api.router, renderFailure: { RankwiseAPI.render($0) }, logger: logger)
        let stop = StopSignal()
        let address = try server.start()
        let place = if case .unix = address.host { "\(address)" } else { "\(settings.scheme)://\(address)" }
        try FileHandle.standardOutput.write(contentsOf: Data("listening on \(place)\n".utf8))
        logger.info("serving", metadata: ["address": "\(address)", "data": "\(settings.data)"])
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await services.run() }
            let name = await stop.received { reload(server, environment, logger) }
            logger.info("stopping", metadata: ["signal": "\(name)"])
            await server.shutdown(within: .seconds(settings.drainSeconds))
            group.cancelAll()
        }
        try store.close()
        logger.info("stopped")
    }

    /// Handles SIGHUP: reads the log level and the certificates' files again.
    private func reload(_ server: HTTPServer, _ environment: [String: String], _ logger: Logger) {
        do {
            ReloadableLogHandler.use(try read(environment).logLevel)
            try server.reloadCertificates()
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
