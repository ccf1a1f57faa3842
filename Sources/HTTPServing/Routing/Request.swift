package import HTTPTypes

/// One request as its handler sees it.
package struct Request: Sendable {
    package let method: HTTPRequest.Method
    /// As it was sent, still percent-encoded and without the query.
    package let path: String
    /// What stood in the path for the names of the route's pattern, percent-decoded.
    package let parameters: Parameters
    package let query: Query
    package let headerFields: HTTPFields
    package let body: RequestBody
    /// Who sent it: the connection's peer, or whom trusted proxies speak for; then without a port.
    package let origin: SocketAddress
    /// Over TLS, what a client CA has certified of the peer, if it has shown a certificate.
    package let certificate: PeerCertificate?
    let exchange: RequestHandle

    /// Runs a wait that may take long, as of a long-poll: the handler's task is cancelled when meanwhile the peer leaves,
    /// says that it sends no more, or the server begins to stop.
    package func park<Value>(_ wait: () async throws -> Value) async rethrows -> Value {
        await exchange.shard.park(exchange.id)
        do {
            let value = try await wait()
            await exchange.shard.unpark(exchange.id)
            return value
        } catch {
            await exchange.shard.unpark(exchange.id)
            throw error
        }
    }

    /// Ends the request before its time: a body comes no further, and a wait is cancelled. May be called from anywhere; a
    /// handler that neither reads nor waits goes on.
    package func end() { exchange.shard.end(exchange.id) }
}
