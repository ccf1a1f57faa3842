import Coordinator
import Federation
import Foundation
import HTTPServing
import Logging

/// The settings of `serve`. Flags take precedence over the environment, the environment over the file, and the file
/// over defaults.
struct ServerSettings {
    var address: ListeningAddress
    var data: String
    var usesTokens: Bool
    var logLevel: Logger.Level
    var logsJSON: Bool
    var limits: HTTPServing.Limits
    var uploadLimits: UploadService.Limits
    var cacheBytes: Int
    var drainSeconds: Double
    var rates: RateLimits
    var quotas: Quotas
    var partLimits: PartLimits
    var tls: HTTPServer.TLS?
    var trustedProxies: [AddressRange]
    /// nil with a data folder.
    var cluster: ClusterSettings?
    var role: ServerRole
    /// nil for a server without a root.
    var upstream: UpstreamSettings?
    var metrics: MetricsSettings

    var listen: String {
        switch address {
        case .tcp(let host, let port): host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
        case .unix(let path): "unix:\(path)"
        case .inherited: "the socket that systemd hands over"
        }
    }

    /// Where the data is, for logs.
    var place: String { cluster?.place ?? data }

    var scheme: String { tls == nil ? "http" : "https" }

    init(
        file: ServerDocument, flags: ServerFlags? = nil, environment: [String: String] = [:]
    ) throws(SettingsError) {
        func choose(_ flag: String?, _ key: String, _ value: String?, _ fallback: String) -> String {
            flag ?? environment["RANKWISE_" + key] ?? value ?? fallback
        }
        address =
            try ListeningAddress.isHandedOver(in: environment)
            ? .inherited
            : ListeningAddress(choose(flags?.listen, "LISTEN", file.listen, "127.0.0.1:8080"), path: "listen")
        self.data = choose(flags?.data, "DATA", file.data, "data")
        cluster = try Self.cluster(file, flags, environment)
        let wanted = choose(flags?.role, "ROLE", file.role, ServerRole.both.rawValue)
        guard let role = ServerRole(rawValue: wanted) else {
            let known = ServerRole.allCases.map(\.rawValue).joined(separator: ", ")
            throw SettingsError(path: "role", reason: "is '\(wanted)'; expected one of \(known)")
        }
        guard role == .both || cluster != nil else {
            throw SettingsError(path: "role", reason: "is \(wanted), which needs data that several servers share")
        }
        self.role = role
        cluster?.works = role.works
        upstream = try UpstreamSettings(
            file.upstream, flags, environment, dataFolder: cluster == nil ? data : nil)
        usesTokens =
            try Self.choice(choose(flags?.auth, "AUTH", file.auth, "tokens"), ["tokens", "none"], "auth") == "tokens"
        let level = choose(nil, "LOG_LEVEL", file.log?.level, "info")
        guard let logLevel = Logger.Level(rawValue: level) else {
            let known = Logger.Level.allCases.map(\.rawValue).joined(separator: ", ")
            throw SettingsError(path: "log.level", reason: "is '\(level)'; expected one of \(known)")
        }
        self.logLevel = logLevel
        let format = try Self.choice(
            choose(nil, "LOG_FORMAT", file.log?.format, "auto"), ["auto", "text", "json"], "log.format")
        logsJSON = format == "json" || (format == "auto" && isatty(STDERR_FILENO) == 0)
        let limits = file.limits ?? ServerDocument.Limits()
        self.limits = HTTPServing.Limits(limits)
        uploadLimits = UploadService.Limits(limits)
        cacheBytes = limits.cacheBytes ?? 1 << 30
        drainSeconds = limits.drainSeconds ?? 10
        rates = RateLimits(limits)
        metrics = try MetricsSettings(file.metrics ?? MetricsDocument())
        quotas = Quotas(limits)
        partLimits = PartLimits(limits)
        trustedProxies = try (file.trustedProxies ?? []).map { text throws(SettingsError) in
            guard let range = AddressRange(text) else {
                throw SettingsError(
                    path: "trusted_proxies",
                    reason: "has '\(text)'; expected an address such as 10.1.2.3, a range such as 10.0.0.0/8, or unix")
            }
            return range
        }
        guard usesTokens || address.isLocal else {
            throw SettingsError(
                path: "auth", reason: "is none, which is refused off loopback; \(listen) is no loopback address")
        }
        tls = try Self.tls(file.tls ?? ServerDocument.TLS(), flags, environment)
        let isPlainWanted = try Self.isPlainWanted(file, flags, environment)
        guard tls != nil || isPlainWanted || address.isLocal else {
            throw SettingsError(
                path: "tls",
                reason: "is missing, and \(listen) is no loopback address; give tls.certificate and tls.key, or choose "
                    + "plain HTTP, where tokens can be read on the way, by plain_http: true or --plain-http")
        }
    }

    /// The shared data; nil where `data` is a folder.
    static func cluster(
        _ file: ServerDocument, _ flags: ServerFlags?, _ environment: [String: String]
    ) throws(SettingsError) -> ClusterSettings? {
        func given(_ flag: String?, _ key: String, _ value: String?) -> String? {
            flag ?? environment["RANKWISE_" + key] ?? value
        }
        let data = given(flags?.data, "DATA", file.data) ?? "data"
        let objects = given(flags?.objects, "OBJECTS", file.objects)
        let scratch = given(flags?.scratch, "SCRATCH", file.scratch)
        guard ClusterSettings.isDatabase(data) else {
            let extra: [(String, Bool)] = [
                ("objects", objects != nil), ("scratch", scratch != nil),
                ("object_storage", file.objectStorage != nil), ("postgres", file.postgres != nil),
            ]
            if let (name, _) = extra.first(where: \.1) {
                throw SettingsError(
                    path: name, reason: "is given, and data is a folder; expected data: postgresql://… beside it")
            }
            return nil
        }
        guard let objects else {
            throw SettingsError(path: "objects", reason: "is missing; expected s3://bucket/prefix beside data")
        }
        guard objects.hasPrefix("s3://") else {
            throw SettingsError(path: "objects", reason: "is '\(objects)'; expected s3://bucket/prefix")
        }
        return ClusterSettings(
            database: data, objects: objects, scratch: scratch ?? "scratch",
            storage: file.objectStorage ?? ObjectStorageDocument(), postgres: file.postgres ?? PostgresDocument())
    }

    private static func isPlainWanted(
        _ file: ServerDocument, _ flags: ServerFlags?, _ environment: [String: String]
    ) throws(SettingsError) -> Bool {
        if flags?.plainHTTP == true { return true }
        guard let text = environment["RANKWISE_PLAIN_HTTP"] else { return file.plainHTTP ?? false }
        return try choice(text, ["true", "false"], "RANKWISE_PLAIN_HTTP") == "true"
    }

    /// - Returns: nil where neither certificate nor key is given.
    private static func tls(
        _ file: ServerDocument.TLS, _ flags: ServerFlags?, _ environment: [String: String]
    ) throws(SettingsError) -> HTTPServer.TLS? {
        let certificate = flags?.tlsCertificate ?? environment["RANKWISE_TLS_CERTIFICATE"] ?? file.certificate
        let key = flags?.tlsKey ?? environment["RANKWISE_TLS_KEY"] ?? file.key
        let authority = flags?.tlsClientCa ?? environment["RANKWISE_TLS_CLIENT_CA"] ?? file.clientCA
        let asked =
            flags?.tlsClientCertificates ?? environment["RANKWISE_TLS_CLIENT_CERTIFICATES"] ?? file.clientCertificates
        guard let certificate, let key else {
            let named = [
                certificate.map { _ in "tls.certificate" }, key.map { _ in "tls.key" },
                authority.map { _ in "tls.client_ca" }, asked.map { _ in "tls.client_certificates" },
            ].compactMap(\.self)
            guard let first = named.first else { return nil }
            throw SettingsError(path: first, reason: "is given; expected both tls.certificate and tls.key beside it")
        }
        let known = HTTPServer.TLS.ClientCertificates.allCases.map(\.rawValue)
        let choice = try Self.choice(
            asked ?? (authority == nil ? "none" : "required"), known, "tls.client_certificates")
        let clientCertificates = HTTPServer.TLS.ClientCertificates(rawValue: choice) ?? .required
        guard clientCertificates == .none || authority != nil else {
            throw SettingsError(
                path: "tls.client_ca", reason: "is missing; it says who signs the certificates asked of clients")
        }
        return HTTPServer.TLS(
            certificate: certificate, key: key, clientCA: authority, clientCertificates: clientCertificates)
    }

    private static func choice(_ text: String, _ known: [String], _ path: String) throws(SettingsError) -> String {
        guard known.contains(text) else {
            throw SettingsError(path: path, reason: "is '\(text)'; expected one of \(known.joined(separator: ", "))")
        }
        return text
    }
}

extension ListeningAddress {
    /// `unix:PATH`, or `HOST:PORT` with an IPv6 host in brackets.
    ///
    /// - Parameter path: the setting's name, for the error.
    init(_ text: String, path: String) throws(SettingsError) {
        let expected = SettingsError(path: path, reason: "is '\(text)'; expected HOST:PORT or unix:PATH")
        if text.hasPrefix("unix:") {
            guard text.count > "unix:".count else { throw expected }
            self = .unix(path: String(text.dropFirst("unix:".count)))
            return
        }
        guard let colon = text.lastIndex(of: ":"), let port = Int(text[text.index(after: colon)...]),
            (0...65_535).contains(port)
        else { throw expected }
        var host = String(text[..<colon])
        if host.hasPrefix("["), host.hasSuffix("]") { host = String(host.dropFirst().dropLast()) }
        guard !host.isEmpty else { throw expected }
        self = .tcp(host: host, port: port)
    }

    /// Whether other machines cannot reach this address.
    fileprivate var isLocal: Bool {
        switch self {
        case .tcp(let host, _): host == "localhost" || host == "::1" || Self.isLoopbackIPv4(host)
        case .unix: true
        case .inherited: Self.inheritedIsLocal
        }
    }

    private static func isLoopbackIPv4(_ host: String) -> Bool {
        let parts = host.split(separator: ".", omittingEmptySubsequences: false).map { UInt8($0) }
        return parts.count == 4 && parts[0] == 127 && !parts.contains(nil)
    }
}

extension HTTPServing.Limits {
    init(_ document: ServerDocument.Limits) {
        self.init()
        if let value = document.requestLineBytes { requestLineBytes = value }
        if let value = document.headerBytes { headerBytes = value }
        if let value = document.headerFields { headerFields = value }
        if let value = document.bodyBytes { bodyBytes = value }
        if let value = document.headerSeconds { timeToHeaders = .seconds(value) }
        if let value = document.idleSeconds { idleTime = .seconds(value) }
        if let value = document.leastBodyBytesPerSecond { leastBodyRate = value }
        if let value = document.bodyWindowSeconds { bodyRateWindow = .seconds(value) }
        if let value = document.connections { connections = value }
        if let value = document.connectionsPerAddress { connectionsPerAddress = value }
        if let value = document.bodiesInFlight { bodiesInFlight = value }
        if let value = document.bodiesPerAddress { bodiesPerAddress = value }
        if let value = document.bodyBytesInFlight { bodyBytesInFlight = value }
        if let value = document.retryAfterSeconds { retryAfterSeconds = value }
    }
}

extension UploadService.Limits {
    init(_ document: ServerDocument.Limits) {
        self.init()
        if let value = document.uploadBytesInFlight { bytesInFlight = value }
        if let value = document.uploadSeconds { lifetimeSeconds = value }
    }
}

extension RateLimits {
    init(_ document: ServerDocument.Limits) {
        self.init()
        if let value = document.clientRequestsPerSecond { clientRequestsPerSecond = value }
        if let value = document.sharedTokenRequestsPerSecond { sharedTokenRequestsPerSecond = value }
        if let value = document.clientRequestsInFlight { clientRequestsInFlight = value }
        if let value = document.clientBodiesInFlight { clientBodiesInFlight = value }
        if let value = document.sharedTokenRequestsInFlight { sharedTokenRequestsInFlight = value }
        if let value = document.sharedTokenBodiesInFlight { sharedTokenBodiesInFlight = value }
        if let value = document.uploadBytesPerMinute { uploadBytesPerMinute = value }
        if let value = document.anonymousRequestsPerSecond { anonymousRequestsPerSecond = value }
        if let value = document.authFailures { authFailures = value }
        if let value = document.authBackoffSeconds { authBackoffSeconds = value }
        if let value = document.rateLimitsOnLoopback { appliesToLoopback = value }
    }
}

extension PartLimits {
    init(_ document: ServerDocument.Limits) {
        self.init()
        if let value = document.partBytes { bytes = value }
        if let value = document.partClients { clients = value }
    }
}

extension Quotas {
    init(_ document: ServerDocument.Limits) {
        self.init()
        if let value = document.federations { federations = value }
        if let value = document.updateBytesPerFederation { updateBytes = value }
    }
}
