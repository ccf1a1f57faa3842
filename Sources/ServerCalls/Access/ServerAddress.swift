import FoundationEssentials

/// A server's address as a user gives it: `http` or `https`, a host, perhaps a port and a path.
package struct ServerAddress: Sendable, Hashable, CustomStringConvertible {
    /// The address without a slash at its end.
    package let description: String

    package init(_ text: String) throws(AccessError) {
        var address = text
        while address.hasSuffix("/") { address.removeLast() }
        guard let parts = URLComponents(string: address), let scheme = parts.scheme?.lowercased(),
            scheme == "http" || scheme == "https", parts.host?.isEmpty == false, parts.query == nil,
            parts.fragment == nil, parts.user == nil
        else {
            throw AccessError(
                "'\(text.printable)' is not a server's address; expected http://HOST:PORT or https://HOST")
        }
        description = address
    }

    /// Whether only programs on this machine reach it.
    package var isLoopback: Bool {
        let host = URLComponents(string: description)?.host ?? ""
        return host == "localhost" || host.hasPrefix("127.") || host == "::1" || host == "[::1]"
    }
}
