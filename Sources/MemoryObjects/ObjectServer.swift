package import HTTPServing
import HTTPTypes
package import Logging
package import ObjectStorage
import Synchronization

/// An S3 server that keeps everything in memory and does wrong what it is told to, over a real socket.
///
/// It has what the client in `ObjectStorage` uses: PUT, GET with a range, HEAD, DELETE, ListObjectsV2 and PUT of a
/// bucket, all in path style and signed. Everything else is answered with NotImplemented.
package final class ObjectServer: Sendable {
    package struct Configuration: Sendable {
        /// Default: a free port of 127.0.0.1.
        package var address = ListeningAddress.tcp(host: "127.0.0.1", port: 0)
        /// The one key that requests are signed with.
        package var credentials = Credentials(accessKeyID: "memory", secretAccessKey: "memory-secret")
        /// Wanted of all requests, where it is set.
        package var sessionToken: String?
        package var region = "us-east-1"
        /// The buckets that are there from the start.
        package var buckets: [String] = []
        package var tls: HTTPServer.TLS?

        package init() {}
    }

    /// A request that came, for tests that count.
    package struct Seen: Sendable, Hashable {
        package let method: String
        package let path: String
        package let expectsContinue: Bool
    }

    struct State: Sendable {
        var objects = StoredObjects()
        var faults: [ObjectFault] = []
        var seen: [Seen] = []
    }

    let state = Mutex(State())
    let clock: @Sendable () -> CalendarTime
    private let check: SignatureCheck
    private let logger: Logger
    private let configuration: Configuration
    private let server = Mutex<HTTPServer?>(nil)

    /// - Parameter clock: the time of signatures and objects.
    package init(
        _ configuration: Configuration = Configuration(), logger: Logger,
        clock: @escaping @Sendable () -> CalendarTime = { .now }
    ) {
        self.configuration = configuration
        self.logger = logger
        self.clock = clock
        check = SignatureCheck(
            credentials: configuration.credentials, sessionToken: configuration.sessionToken,
            region: configuration.region)
        state.withLock { state in
            for bucket in configuration.buckets { state.objects.makeBucket(bucket) }
        }
    }

    /// Starts to serve.
    /// - Returns: its URL, without a slash at its end.
    package func start() throws(HTTPServerError) -> String {
        var settings = HTTPServer.Configuration()
        settings.address = configuration.address
        settings.tls = configuration.tls
        settings.shards = 2
        var router = Router()
        for pattern in ["/{bucket}", "/{bucket}/{key...}"] {
            for method in [HTTPRequest.Method.get, .head, .put, .delete, .post] {
                router.on(method, pattern) { [weak self] request in
                    guard let self else { throw RequestBodyError.peerGone }
                    return try await self.answer(request)
                }
            }
        }
        let server = HTTPServer(
            configuration: settings, router: router, renderFailure: { $0.asS3 }, logger: logger)
        let address = try server.start()
        self.server.withLock { $0 = server }
        return "\(configuration.tls == nil ? "http" : "https")://\(address)"
    }

    package func stop() async {
        let server = self.server.withLock { server in
            defer { server = nil }
            return server
        }
        await server?.shutdown(within: .seconds(1))
    }

    // MARK: What tests set and see

    /// Has the next requests fail, one fault a request, after those that are already set.
    package func fail(_ faults: ObjectFault...) { state.withLock { $0.faults += faults } }

    /// Has so many next requests fail in the same way, after those that are already set.
    package func fail(_ fault: ObjectFault, times: Int) {
        state.withLock { $0.faults += repeatElement(fault, count: times) }
    }

    /// Forgets the faults that have not come yet.
    package func heal() { state.withLock { $0.faults = [] } }

    /// All requests that came, in their order.
    package var seen: [Seen] { state.withLock { $0.seen } }

    package func makeBucket(_ name: String) { state.withLock { $0.objects.makeBucket(name) } }

    package func keys(in bucket: String) -> [String] { state.withLock { $0.objects.keys(in: bucket) } }

    /// Changes an object's bytes without its clients.
    package func alter(_ key: String, in bucket: String, _ change: (inout [UInt8]) -> Void) {
        state.withLock { $0.objects.alter(key, in: bucket, change) }
    }

    // MARK: Answers

    private func answer(_ request: Request) async throws -> Response {
        let fault = state.withLock { state -> ObjectFault? in
            state.seen.append(
                Seen(
                    method: request.method.rawValue, path: request.path,
                    expectsContinue: request.headerFields[.expect] != nil))
            return state.faults.isEmpty ? nil : state.faults.removeFirst()
        }
        switch fault {
        case .answer(let status, let code, let seconds):
            return S3Failure.fault(status: status, code: code, retryAfter: seconds).response
        case .stall:
            // Ends with the client's connection.
            try await request.park { try await Task.sleep(for: .seconds(86_400)) }
        case .delay(let time):
            try await request.park { try await Task.sleep(for: time) }
        case .loseAnswer, .cut, .alter, .ignoreRange, nil:
            break
        }
        let response: Response
        do throws(S3Failure) {
            let digest = try check.check(request, at: clock())
            response = try await perform(request, digest: digest, ignoresRange: fault == .ignoreRange)
        } catch {
            return error.response
        }
        return try await response.suffering(fault)
    }
}

extension RequestFailure {
    fileprivate var asS3: Response {
        Response(
            status: status, contentType: "application/xml",
            bytes: Array(
                XML.document("Error") {
                    [XML.element("Code", "InvalidRequest"), XML.element("Message", detail)]
                }.utf8))
    }
}
