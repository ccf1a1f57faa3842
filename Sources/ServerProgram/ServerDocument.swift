import Federation
import HTTPServing
import RankwiseWire

/// `Config/server.yaml`; missing keys come from the environment or from defaults.
struct ServerDocument: Codable {
    var listen: String?
    var data: String?
    var auth: String?
    var log: Log?
    var limits: Limits?
    var tls: TLS?
    var plainHTTP: Bool?
    var trustedProxies: [String]?
    var objects: String?
    var scratch: String?
    var role: String?
    var objectStorage: ObjectStorageDocument?
    var postgres: PostgresDocument?
    var upstream: UpstreamDocument?
    var metrics: MetricsDocument?

    enum CodingKeys: String, CodingKey, CaseIterable {
        case listen, data, auth, log, limits, tls, objects, scratch, role, postgres, upstream, metrics
        case objectStorage = "object_storage"
        case trustedProxies = "trusted_proxies"
        case plainHTTP = "plain_http"
    }

    struct Log: Codable {
        var level: String?
        var format: String?

        enum CodingKeys: String, CodingKey, CaseIterable { case level, format }

        init(from decoder: any Decoder) throws {
            let values = try decoder.knownKeys(CodingKeys.self)
            level = try values.decodeIfPresent(String.self, forKey: .level)
            format = try values.decodeIfPresent(String.self, forKey: .format)
        }
    }

    /// Certificate, key and the requirements for clients; PEM files.
    struct TLS: Codable {
        var certificate: String?
        var key: String?
        var clientCA: String?
        var clientCertificates: String?

        enum CodingKeys: String, CodingKey, CaseIterable {
            case certificate, key
            case clientCA = "client_ca"
            case clientCertificates = "client_certificates"
        }

        init() {}

        init(from decoder: any Decoder) throws {
            let values = try decoder.knownKeys(CodingKeys.self)
            certificate = try values.decodeIfPresent(String.self, forKey: .certificate)
            key = try values.decodeIfPresent(String.self, forKey: .key)
            clientCA = try values.decodeIfPresent(String.self, forKey: .clientCA)
            clientCertificates = try values.decodeIfPresent(String.self, forKey: .clientCertificates)
        }
    }

    /// Limits of the HTTP server, of the cache and of callers; bytes and seconds.
    struct Limits: Codable {
        var requestLineBytes: Int?
        var headerBytes: Int?
        var headerFields: Int?
        var bodyBytes: Int?
        var headerSeconds: Double?
        var idleSeconds: Double?
        var leastBodyBytesPerSecond: Int?
        var bodyWindowSeconds: Double?
        var connections: Int?
        var connectionsPerAddress: Int?
        var bodiesInFlight: Int?
        var bodiesPerAddress: Int?
        var bodyBytesInFlight: Int?
        var retryAfterSeconds: Int?
        var uploadBytesInFlight: Int?
        var uploadSeconds: Double?
        var cacheBytes: Int?
        var drainSeconds: Double?
        var federations: Int?
        var updateBytesPerFederation: Int?
        var partBytes: Int?
        var partClients: Int?
        var clientRequestsPerSecond: Double?
        var sharedTokenRequestsPerSecond: Double?
        var clientRequestsInFlight: Int?
        var clientBodiesInFlight: Int?
        var sharedTokenRequestsInFlight: Int?
        var sharedTokenBodiesInFlight: Int?
        var uploadBytesPerMinute: Double?
        var anonymousRequestsPerSecond: Double?
        var authFailures: Int?
        var authBackoffSeconds: Double?
        var rateLimitsOnLoopback: Bool?

        enum CodingKeys: String, CodingKey, CaseIterable {
            case connections, federations
            case requestLineBytes = "request_line_bytes"
            case headerBytes = "header_bytes"
            case headerFields = "header_fields"
            case bodyBytes = "body_bytes"
            case headerSeconds = "header_seconds"
            case idleSeconds = "idle_seconds"
            case leastBodyBytesPerSecond = "least_body_bytes_per_second"
            case bodyWindowSeconds = "body_window_seconds"
            case connectionsPerAddress = "connections_per_address"
            case bodiesInFlight = "bodies_in_flight"
            case bodiesPerAddress = "bodies_per_address"
            case bodyBytesInFlight = "body_bytes_in_flight"
            case retryAfterSeconds = "retry_after_seconds"
            case uploadBytesInFlight = "upload_bytes_in_flight"
            case uploadSeconds = "upload_seconds"
            case cacheBytes = "cache_bytes"
            case drainSeconds = "drain_seconds"
            case updateBytesPerFederation = "update_bytes_per_federation"
            case partBytes = "part_bytes"
            case partClients = "part_clients"
            case clientRequestsPerSecond = "client_requests_per_second"
            case sharedTokenRequestsPerSecond = "shared_token_requests_per_second"
            case clientRequestsInFlight = "client_requests_in_flight"
            case clientBodiesInFlight = "client_bodies_in_flight"
            case sharedTokenRequestsInFlight = "shared_token_requests_in_flight"
            case sharedTokenBodiesInFlight = "shared_token_bodies_in_flight"
            case uploadBytesPerMinute = "upload_bytes_per_minute"
            case anonymousRequestsPerSecond = "anonymous_requests_per_second"
            case authFailures = "auth_failures"
            case authBackoffSeconds = "auth_backoff_seconds"
            case rateLimitsOnLoopback = "rate_limits_on_loopback"
        }

        init() {}

        init(from decoder: any Decoder) throws {
            let values = try decoder.knownKeys(CodingKeys.self)
            func positive<T: Decodable & Comparable & ExpressibleByIntegerLiteral>(_ key: CodingKeys) throws -> T? {
                guard let value = try values.decodeIfPresent(T.self, forKey: key) else { return nil }
                guard value > 0 else {
                    throw WireError(path: "limits.\(key.stringValue)", reason: "is \(value); expected a number above 0")
                }
                return value
            }
            func seconds(_ key: CodingKeys) throws -> Double? {
                guard let value = try values.decodeIfPresent(Double.self, forKey: key) else { return nil }
                guard value > 0, value <= 1e9 else {
                    throw WireError(
                        path: "limits.\(key.stringValue)", reason: "is \(value); expected a number above 0, at most 1e9"
                    )
                }
                return value
            }
            func rate(_ key: CodingKeys) throws -> Double? {
                guard let value = try values.decodeIfPresent(Double.self, forKey: key) else { return nil }
                // Below a thousandth a second, callers would be told to come back in the far future.
                guard value == 0 || (0.001...1e15).contains(value) else {
                    throw WireError(
                        path: "limits.\(key.stringValue)",
                        reason: "is \(value); expected 0.001 to 1e15, or 0 for no limit")
                }
                return value
            }
            requestLineBytes = try positive(.requestLineBytes)
            headerBytes = try positive(.headerBytes)
            headerFields = try positive(.headerFields)
            bodyBytes = try positive(.bodyBytes)
            headerSeconds = try seconds(.headerSeconds)
            idleSeconds = try seconds(.idleSeconds)
            leastBodyBytesPerSecond = try positive(.leastBodyBytesPerSecond)
            bodyWindowSeconds = try seconds(.bodyWindowSeconds)
            connections = try positive(.connections)
            connectionsPerAddress = try positive(.connectionsPerAddress)
            bodiesInFlight = try positive(.bodiesInFlight)
            bodiesPerAddress = try positive(.bodiesPerAddress)
            bodyBytesInFlight = try positive(.bodyBytesInFlight)
            retryAfterSeconds = try positive(.retryAfterSeconds)
            uploadBytesInFlight = try positive(.uploadBytesInFlight)
            uploadSeconds = try seconds(.uploadSeconds)
            cacheBytes = try positive(.cacheBytes)
            drainSeconds = try seconds(.drainSeconds)
            federations = try positive(.federations)
            updateBytesPerFederation = try positive(.updateBytesPerFederation)
            partBytes = try positive(.partBytes)
            partClients = try positive(.partClients)
            clientRequestsPerSecond = try rate(.clientRequestsPerSecond)
            sharedTokenRequestsPerSecond = try rate(.sharedTokenRequestsPerSecond)
            clientRequestsInFlight = try positive(.clientRequestsInFlight)
            clientBodiesInFlight = try positive(.clientBodiesInFlight)
            sharedTokenRequestsInFlight = try positive(.sharedTokenRequestsInFlight)
            sharedTokenBodiesInFlight = try positive(.sharedTokenBodiesInFlight)
            uploadBytesPerMinute = try rate(.uploadBytesPerMinute)
            anonymousRequestsPerSecond = try rate(.anonymousRequestsPerSecond)
            authFailures = try positive(.authFailures)
            authBackoffSeconds = try rate(.authBackoffSeconds)
            rateLimitsOnLoopback = try values.decodeIfPresent(Bool.self, forKey: .rateLimitsOnLoopback)
        }
    }

    init() {}

    init(from decoder: any Decoder) throws {
        let values = try decoder.knownKeys(CodingKeys.self)
        listen = try values.decodeIfPresent(String.self, forKey: .listen)
        data = try values.decodeIfPresent(String.self, forKey: .data)
        auth = try values.decodeIfPresent(String.self, forKey: .auth)
        log = try values.decodeIfPresent(Log.self, forKey: .log)
        limits = try values.decodeIfPresent(Limits.self, forKey: .limits)
        tls = try values.decodeIfPresent(TLS.self, forKey: .tls)
        plainHTTP = try values.decodeIfPresent(Bool.self, forKey: .plainHTTP)
        trustedProxies = try values.decodeIfPresent([String].self, forKey: .trustedProxies)
        objects = try values.decodeIfPresent(String.self, forKey: .objects)
        scratch = try values.decodeIfPresent(String.self, forKey: .scratch)
        role = try values.decodeIfPresent(String.self, forKey: .role)
        objectStorage = try values.decodeIfPresent(ObjectStorageDocument.self, forKey: .objectStorage)
        postgres = try values.decodeIfPresent(PostgresDocument.self, forKey: .postgres)
        upstream = try values.decodeIfPresent(UpstreamDocument.self, forKey: .upstream)
        metrics = try values.decodeIfPresent(MetricsDocument.self, forKey: .metrics)
    }
}
