/// The store's address, and where in it a bucket's objects are.
struct Endpoint: Sendable, Hashable {
    /// `https://host` or `https://host:port`, without the scheme's own port.
    let origin: String
    /// What the requests' `Host` says.
    let host: String
    /// Percent-encoded, without a slash at its end.
    let basePath: String

    init(_ configuration: ObjectBucket.Configuration) throws(ObjectError) {
        let bucket = configuration.location.bucket
        let region = configuration.region
        guard !region.isEmpty, region.utf8.allSatisfy(Self.isNameByte) else {
            throw .invalid("\"\(region)\" is no name of a region")
        }
        let (scheme, address) = try Self.split(configuration.endpoint ?? "https://s3.\(region).amazonaws.com")
        // The certificates of hosts are for one label before their name.
        let isPath = configuration.pathStyle ?? (configuration.endpoint != nil || bucket.contains("."))
        host = isPath ? address : "\(bucket).\(address)"
        origin = "\(scheme)://\(host)"
        basePath = isPath ? "/\(bucket)" : ""
    }

    /// The percent-encoded path of an object, or of the bucket.
    func path(of key: String?) -> String {
        guard let key else { return basePath.isEmpty ? "/" : basePath }
        return "\(basePath)/\(URIEncoding.encode(key, keepsSlash: true))"
    }

    private static func split(_ url: String) throws(ObjectError) -> (scheme: String, address: String) {
        guard let scheme = ["http", "https"].first(where: { url.hasPrefix("\($0)://") }) else {
            throw .invalid("the endpoint begins with neither http:// nor https://")
        }
        var address = url.dropFirst(scheme.count + 3).lowercased()
        if address.hasSuffix("/") { address.removeLast() }
        let isBracketed = address.hasPrefix("[")
        let name = isBracketed ? address.prefix { $0 != "]" } + "]" : address.prefix { $0 != ":" }
        let rest = address.dropFirst(name.count)
        let isName =
            isBracketed
            ? address.contains("]")
                && name.dropFirst().dropLast().utf8.allSatisfy { Self.isNameByte($0) || $0 == UInt8(ascii: ":") }
            : !name.isEmpty && name.utf8.allSatisfy { Self.isNameByte($0) || $0 == UInt8(ascii: ".") }
        guard isName else {
            throw .invalid("the endpoint is a scheme, a host and a port, without a user, a path or a query")
        }
        if rest.isEmpty { return (scheme, String(name)) }
        guard rest.first == ":", let port = UInt16(rest.dropFirst()), port > 0 else {
            throw .invalid("the endpoint's port is not between 1 and 65535")
        }
        return (scheme, port == (scheme == "http" ? 80 : 443) ? String(name) : "\(name):\(port)")
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"),
            UInt8(ascii: "_"):
            true
        default:
            false
        }
    }
}
