/// Sends HTTP requests; the port through which the client's loop reaches the network.
package protocol Fetching: Sendable {
    /// The server's answer, whatever its status; throws where no complete answer came. Cancelling the task ends the
    /// transfer at once.
    func fetch(_ request: FetchRequest) async throws(FetchError) -> FetchResponse
}

/// curl behind an actor: one request at a time, on a thread that may block, over connections that it keeps open.
///
/// It does not follow redirects, so a client's token goes only to the server that its owner named. It makes the process
/// ignore SIGPIPE.
package actor HTTPFetcher: Fetching {
    private let thread = BlockingExecutor()
    private let fetcher: BlockingFetcher

    package nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }

    /// The TLS settings beside the system's certificates; files and text are PEM.
    package struct TLS: Sendable, Hashable {
        /// The CA certificates for servers, in place of the system's.
        package var authority: String?
        /// The text of such certificates, in place of a file.
        package var authorityText: [UInt8]?
        /// This client's own certificate and its key.
        package var certificate: String?
        package var key: String?

        package init(
            authority: String? = nil, authorityText: [UInt8]? = nil, certificate: String? = nil, key: String? = nil
        ) {
            self.authority = authority
            self.authorityText = authorityText
            self.certificate = certificate
            self.key = key
        }
    }

    package init(tls: TLS = TLS()) throws(FetchError) {
        fetcher = try BlockingFetcher(tls: tls)
    }

    package func fetch(_ request: FetchRequest) async throws(FetchError) -> FetchResponse {
        let fetcher = fetcher
        let result = await withTaskCancellationHandler {
            perform(request)
        } onCancel: {
            fetcher.wake()
        }
        return try result.get()
    }

    /// A method of the actor, so that it blocks the actor's own thread. A closure that does not name the actor would run
    /// on the cooperative pool and block that.
    private func perform(_ request: FetchRequest) -> Result<FetchResponse, FetchError> {
        Result { () throws(FetchError) in try fetcher.fetch(request, isCancelled: { Task.isCancelled }) }
    }
}
