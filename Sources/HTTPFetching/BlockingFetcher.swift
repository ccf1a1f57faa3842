import Synchronization

/// curl on the caller's thread: one request at a time, over connections that it keeps open.
///
/// It does not follow redirects. It makes the process ignore SIGPIPE. Call it on a thread that may block; `HTTPFetcher`
/// is the same for Swift's tasks.
package final class BlockingFetcher: Sendable {
    /// Used under the lock of `easy`, except for `wake`.
    private let multi: MultiHandle
    private let easy: Mutex<EasyHandle>
    private let tls: HTTPFetcher.TLS

    package init(tls: HTTPFetcher.TLS = HTTPFetcher.TLS()) throws(FetchError) {
        self.tls = tls
        multi = try MultiHandle()
        easy = Mutex(try EasyHandle())
    }

    /// The server's answer, whatever its status; throws where no complete answer came.
    ///
    /// - Parameter isCancelled: asked on this thread, at the start and after each `wake`; true ends the transfer.
    package func fetch(
        _ request: FetchRequest, isCancelled: @Sendable () -> Bool = { false }
    ) throws(FetchError) -> FetchResponse {
        let scheme = request.url.prefix { $0 != ":" }.lowercased()
        guard scheme == "http" || scheme == "https" else {
            throw .malformedRequest("\(request.url) begins with neither http:// nor https://")
        }
        if let response = try exchange(request, isCancelled) { return response }
        guard let response = try exchange(request, isCancelled) else {
            throw .interrupted("the download cannot be continued")
        }
        return response
    }

    /// Makes a running `fetch` ask whether it is cancelled. May be called from any thread.
    package func wake() { multi.wake() }

    /// One exchange; nil asks the caller to send the same request again from the start.
    private func exchange(
        _ request: FetchRequest, _ isCancelled: @Sendable () -> Bool
    ) throws(FetchError) -> FetchResponse? {
        try easy.withLock { easy throws(FetchError) in
            let transfer = try Transfer(request)
            let fields = try HeaderList(request.fields + transfer.resumeFields)
            try easy.prepare(request, fields: fields, transfer: transfer, tls: tls)
            let code = multi.run(easy, shouldStop: isCancelled)
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
}
