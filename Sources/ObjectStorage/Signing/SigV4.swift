import Crypto
import Synchronization

/// AWS Signature Version 4 in a request's header, in the form that S3 takes: the path is signed as it is sent.
///
/// Source: AWS, "Authenticating Requests: Using the Authorization Header".
package struct SigV4: Sendable {
    package static let algorithm = "AWS4-HMAC-SHA256"
    /// What is signed in place of a digest where the body is not signed.
    package static let unsignedPayload = "UNSIGNED-PAYLOAD"

    /// What is signed of one request.
    package struct Request: Sendable {
        package var method: String
        /// Percent-encoded, as it is sent.
        package var path: String
        /// Decoded names and values, in any order; a name without a value has an empty one.
        package var query: [(name: String, value: String)]
        /// The fields to sign, `Host` among them; fields with one name are joined in this order.
        package var fields: [(name: String, value: String)]
        /// The body's SHA-256 in hexadecimal digits, or `unsignedPayload`.
        package var payload: String

        package init(
            method: String, path: String, query: [(name: String, value: String)] = [],
            fields: [(name: String, value: String)], payload: String
        ) {
            self.method = method
            self.path = path
            self.query = query
            self.fields = fields
            self.payload = payload
        }
    }

    private let credentials: Credentials
    private let scope: String
    private let time: CalendarTime
    private let key: SymmetricKey

    package init(
        _ credentials: Credentials, at time: CalendarTime, region: String, service: String = "s3"
    ) {
        let day = String(time.compact.prefix(8))
        self.credentials = credentials
        self.time = time
        scope = "\(day)/\(region)/\(service)/aws4_request"
        key = Self.derivedKey(credentials.secretAccessKey, [day, region, service, "aws4_request"])
    }

    /// What the last signing key was derived from, and the key. It stays the same for a day.
    private static let lastKey = Mutex<(secret: String, parts: [String], key: SymmetricKey)?>(nil)

    private static func derivedKey(_ secret: String, _ parts: [String]) -> SymmetricKey {
        if let last = lastKey.withLock({ $0 }), last.secret == secret, last.parts == parts { return last.key }
        var key = SymmetricKey(data: Array("AWS4\(secret)".utf8))
        for part in parts { key = SymmetricKey(data: code(part, key)) }
        lastKey.withLock { [key] in $0 = (secret, parts, key) }
        return key
    }

    /// The value of `Authorization` for a request.
    package func authorization(for request: Request) -> String {
        let fields = Self.canonicalFields(request.fields)
        let signature = hex(Self.code(stringToSign(for: Self.canonicalRequest(request, fields)), key))
        return "\(Self.algorithm) Credential=\(credentials.accessKeyID)/\(scope), SignedHeaders=\(fields.names), "
            + "Signature=\(signature)"
    }

    /// In hexadecimal digits.
    package func signature(of request: Request) -> String {
        hex(Self.code(stringToSign(for: request), key))
    }

    package func stringToSign(for request: Request) -> String {
        stringToSign(for: Self.canonicalRequest(request))
    }

    private func stringToSign(for canonical: String) -> String {
        let digest = hex(SHA256.hash(data: Array(canonical.utf8)))
        return [Self.algorithm, time.compact, scope, digest].joined(separator: "\n")
    }

    package static func canonicalRequest(_ request: Request) -> String {
        canonicalRequest(request, canonicalFields(request.fields))
    }

    private static func canonicalRequest(_ request: Request, _ fields: (lines: String, names: String)) -> String {
        [
            request.method, request.path, canonicalQuery(request.query), fields.lines + "\n", fields.names,
            request.payload,
        ].joined(separator: "\n")
    }

    /// The query as it is signed, which is also how it is sent: sorted by its encoded names, then by values.
    package static func canonicalQuery(_ query: [(name: String, value: String)]) -> String {
        let encoded = query.map { (Array(URIEncoding.encode($0.name).utf8), Array(URIEncoding.encode($0.value).utf8)) }
        let sorted = encoded.sorted { left, right in
            left.0 == right.0
                ? left.1.lexicographicallyPrecedes(right.1) : left.0.lexicographicallyPrecedes(right.0)
        }
        return sorted.map { "\(String(decoding: $0.0, as: UTF8.self))=\(String(decoding: $0.1, as: UTF8.self))" }
            .joined(separator: "&")
    }

    /// One line a field, and the fields' names: in lowercase and sorted, values without surplus blanks.
    private static func canonicalFields(
        _ fields: [(name: String, value: String)]
    ) -> (lines: String, names: String) {
        var values: [String: [String]] = [:]
        for field in fields {
            let words = field.value.split(whereSeparator: { $0 == " " || $0 == "\t" || $0 == "\n" })
            values[field.name.lowercased(), default: []].append(words.joined(separator: " "))
        }
        let names = values.keys.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
        return (
            names.map { "\($0):\((values[$0] ?? []).joined(separator: ","))" }.joined(separator: "\n"),
            names.joined(separator: ";")
        )
    }

    private static func code(_ text: String, _ key: SymmetricKey) -> [UInt8] {
        Array(HMAC<SHA256>.authenticationCode(for: Array(text.utf8), using: key))
    }
}

/// Bytes as lowercase hexadecimal digits.
package func hex(_ bytes: some Sequence<UInt8>) -> String {
    let digits = Array("0123456789abcdef".utf8)
    return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
}
