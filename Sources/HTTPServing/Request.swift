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
    package let peer: SocketAddress
    /// Over TLS, what a client CA has certified of the peer, if it has shown a certificate.
    package let certificate: PeerCertificate?
    let exchange: Exchange

    /// Runs a wait that may take long, as of a long-poll: the handler's task is cancelled when meanwhile the peer
    /// leaves for good or the server begins to stop.
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
}
