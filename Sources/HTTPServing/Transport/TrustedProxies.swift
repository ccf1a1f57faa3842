import HTTPTypes

/// The proxies whose `X-Forwarded-For` is believed.
struct TrustedProxies: Sendable {
    let ranges: [AddressRange]

    private static let forwardedFor = HTTPField.Name("X-Forwarded-For")

    func contains(_ host: SocketAddress.Host) -> Bool { ranges.contains { $0.contains(host) } }

    /// The sender of a request: its peer or, behind trusted proxies, the nearest address that is no trusted proxy.
    ///
    /// Each proxy appends the address that it saw. Anybody may have invented the entries before the first untrusted
    /// address. An entry that is no address ends the search as well.
    func origin(of peer: SocketAddress, _ fields: HTTPFields) -> SocketAddress {
        guard contains(peer.host), let name = Self.forwardedFor, let list = fields[name] else { return peer }
        var origin = peer
        for entry in list.split(separator: ",").reversed() {
            guard contains(origin.host), let host = Self.host(entry) else { break }
            origin = SocketAddress(host: host, port: 0)
        }
        return origin
    }

    /// The address of an entry; some proxies add a port.
    private static func host(_ entry: Substring) -> SocketAddress.Host? {
        let text = String(entry.drop { $0 == " " }.prefix { $0 != " " })
        if let host = SocketAddress.Host(text) { return host }
        if text.hasPrefix("["), let end = text.firstIndex(of: "]") {
            return SocketAddress.Host(String(text[text.index(after: text.startIndex)..<end]))
        }
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        return parts.count == 2 ? SocketAddress.Host(String(parts[0])) : nil
    }
}
