package import HTTPTypes

/// One request, as its handler gets it.
package struct Request: Sendable {
    package let method: HTTPRequest.Method
    /// As sent: percent-encoded and without the query.
    package let path: String
    /// The path's segments at the names in the route's pattern, percent-decoded.
    package let parameters: Parameters
    package let query: Query
    package let headerFields: HTTPFields
    package let body: RequestBody
    /// The sender: the connection's peer, or the address that trusted proxies report, then without a port.
    package let origin: SocketAddress
    /// Over TLS, the peer's certificate if it has shown one; a client CA has signed it.
    package let certificate: PeerCertificate?
    let exchange: RequestHandle

    /// Runs a wait that may take long, such as a long poll. The handler's task is cancelled when the peer disconnects
    /// or closes its sending side, or when the server begins to stop.
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

    /// Ends the request early: its body stops and a wait is cancelled. May be called from anywhere. A handler that
    /// neither reads nor waits goes on.
    package func end() { exchange.shard.end(exchange.id) }
}
