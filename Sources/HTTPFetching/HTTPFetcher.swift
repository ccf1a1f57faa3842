/// Sends HTTP requests; the port through which the client's loop reaches the network.
package protocol Fetching: Sendable {
    /// The server's answer, whatever its status; throws where no complete answer came. Cancelling the task ends the
    /// transfer at once.
    func fetch(_ request: FetchRequest) async throws(FetchError) -> FetchResponse
}

/// curl behind an actor: one request at a time, on a thread that may block, over connections that it keeps open.
///
/// It does not follow redirects, so a client's token goes only to the server that its owner named. A program that uses
/// TLS should ignore SIGPIPE.
package actor HTTPFetcher: Fetching {
    private let thread = BlockingExecutor()
    private let multi: MultiHandle
    private let easy: EasyHandle

    package nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }

    /// The TLS settings beside the system's certificates; all files are PEM.
    package struct TLS: Sendable, Hashable {
        /// The CA certificates for servers, in place of the system's.
        package var authority: String?
        /// This client's own certificate and its key.
        package var certificate: String?
        package var key: String?

        package init(authority: String? = nil, certificate: String? = nil, key: String? = nil) {
            self.authority = authority
            self.certificate = certificate
            self.key = key
        }
    }

    private let tls: TLS

    package init(tls: TLS = TLS()) throws(FetchError) {
        self.tls = tls
        multi = try MultiHandle()
        easy = try EasyHandle()
    }

    package func fetch(_ request: FetchRequest) async throws(FetchError) -> FetchResponse {
        let multi = multi
        let result = await withTaskCancellationHandler {
            perform(request)
        } onCancel: {
            multi.wake()
        }
        return try result.get()
    }

    private func perform(_ request: FetchRequest) -> Result<FetchResponse, FetchError> {
        do throws(FetchError) {
            let scheme = request.url.prefix { $0 != ":" }.lowercased()
            guard scheme == "http" || scheme == "https" else {
                throw .malformedRequest("\(request.url) begins with neither http:// nor https://")
            }
            if let response = try exchange(request) { return .success(response) }
            guard let response = try exchange(request) else { throw .interrupted("the download cannot be continued") }
            return .success(response)
        } catch {
            return .failure(error)
        }
    }

    /// One exchange; nil asks the caller to send the same request again from the start.
    private func exchange(_ request: FetchRequest) throws(FetchError) -> FetchResponse? {
        let transfer = try Transfer(request)
        let fields = try HeaderList(request.fields + transfer.resumeFields)
        try easy.prepare(request, fields: fields, transfer: transfer, tls: tls)
        let code = multi.run(easy, shouldStop: { Task.isCancelled })
        do throws(FetchError) {
            guard let code else { throw .cancelled }
            if let failure = transfer.failure { throw failure }
            if let error = easy.error(for: code) { throw error }
            return try transfer.finish()
        } catch {
            transfer.abandon()
            throw error
        }
    }
}
