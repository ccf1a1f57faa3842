import Coordinator
import Federation
import Foundation
import HTTPServing
import Logging

/// What `serve` runs with: flags before environment before file before defaults.
struct ServerSettings {
    var host: String
    var port: Int
    var data: String
    var usesTokens: Bool
    var logLevel: Logger.Level
    var logsJSON: Bool
    var limits: HTTPServing.Limits
    var cacheBytes: Int
    var drainSeconds: Double
    var rates: RateLimits
    var quotas: Quotas

    var listen: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }

    init(
        file: ServerDocument, listen: String? = nil, data: String? = nil, auth: String? = nil,
        environment: [String: String] = [:]
    ) throws(SettingsError) {
        func choose(_ flag: String?, _ key: String, _ value: String?, _ fallback: String) -> String {
            flag ?? environment["RANKWISE_" + key] ?? value ?? fallback
        }
        (host, port) = try Self.address(choose(listen, "LISTEN", file.listen, "127.0.0.1:8080"))
        self.data = choose(data, "DATA", file.data, "data")
        usesTokens = try Self.choice(choose(auth, "AUTH", file.auth, "tokens"), ["tokens", "none"], "auth") == "tokens"
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
        cacheBytes = limits.cacheBytes ?? 1 << 30
        drainSeconds = limits.drainSeconds ?? 10
        rates = RateLimits(limits)
        quotas = Quotas(limits)
        guard usesTokens || Self.isLoopback(host) else {
            throw SettingsError(
                path: "auth", reason: "is none, which is refused off loopback; \(host) is no loopback address")
        }
    }

    /// Splits `HOST:PORT`; an IPv6 host stands in brackets.
    private static func address(_ text: String) throws(SettingsError) -> (String, Int) {
        guard let colon = text.lastIndex(of: ":"), let port = Int(text[text.index(after: colon)...]),
            (0...65_535).contains(port)
        else { throw SettingsError(path: "listen", reason: "is '\(text)'; expected HOST:PORT") }
        var host = String(text[..<colon])
        if host.hasPrefix("["), host.hasSuffix("]") { host = String(host.dropFirst().dropLast()) }
        guard !host.isEmpty else { throw SettingsError(path: "listen", reason: "is '\(text)'; expected HOST:PORT") }
        return (host, port)
    }

    private static func choice(_ text: String, _ known: [String], _ path: String) throws(SettingsError) -> String {
        guard known.contains(text) else {
            throw SettingsError(path: path, reason: "is '\(text)'; expected one of \(known.joined(separator: ", "))")
        }
        return text
    }

    private static func isLoopback(_ host: String) -> Bool {
        host == "localhost" || host == "::1" || isLoopbackIPv4(host)
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
    }
}

extension RateLimits {
    init(_ document: ServerDocument.Limits) {
        self.init()
        if let value = document.clientRequestsPerSecond { clientRequestsPerSecond = value }
        if let value = document.sharedTokenRequestsPerSecond { sharedTokenRequestsPerSecond = value }
        if let value = document.uploadBytesPerMinute { uploadBytesPerMinute = value }
        if let value = document.anonymousRequestsPerSecond { anonymousRequestsPerSecond = value }
        if let value = document.authFailures { authFailures = value }
        if let value = document.authBackoffSeconds { authBackoffSeconds = value }
        if let value = document.rateLimitsOnLoopback { appliesToLoopback = value }
    }
}

extension Quotas {
    init(_ document: ServerDocument.Limits) {
        self.init()
        if let value = document.federations { federations = value }
        if let value = document.updateBytesPerFederation { updateBytes = value }
    }
}
