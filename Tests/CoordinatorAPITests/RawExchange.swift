/// Sends bytes as they are to a server on 127.0.0.1 and takes what it answers, to see what no HTTP client shows.
enum RawExchange {
    /// What the server sent until it closed.
    static func answer(to request: String, at url: String) async throws -> String {
        let peer = try RawPeer(url)
        try await peer.send(Array(request.utf8))
        return try await peer.receive()
    }
}
