package import HTTPTypes

/// A request without its body: the target, the fields, and how the body is framed.
package struct RequestHead: Sendable {
    package enum Framing: Sendable, Hashable {
        case none
        case sized(Int)
        case chunked
    }

    package enum Expectation: Sendable, Hashable {
        case none
        case `continue`
        case unknown
    }

    package let method: HTTPRequest.Method
    package let target: RequestTarget
    package let headerFields: HTTPFields
    package let framing: Framing
    package let expectation: Expectation
    /// Whether the peer wants to keep the connection after the answer.
    package let keepsAlive: Bool
    package let isVersion10: Bool
}

extension RequestHead {
    /// Reads the fields that control the connection; refuses every ambiguity about where the body ends.
    init(
        method: HTTPRequest.Method, target: RequestTarget, isVersion10: Bool, headerFields: HTTPFields
    ) throws(RequestFailure) {
        var hosts = 0
        var contentLength: Int?
        var transferCodings: [String] = []
        var connectionOptions: [String] = []
        var expectation = Expectation.none
        for field in headerFields {
            switch field.name.canonicalName {
            case "host":
                hosts += 1
                guard hosts == 1 else { throw .malformed(.hostRepeated) }
                guard field.withUnsafeBytesOfValue({ HostField.isValid($0.span) }) else {
                    throw .malformed(.hostInvalid)
                }
            case "content-length":
                guard contentLength == nil else { throw .malformed(.contentLengthRepeated) }
                guard let length = field.withUnsafeBytesOfValue({ ByteGrammar.decimal($0) }) else {
                    throw .malformed(.contentLength)
                }
                contentLength = length
            case "transfer-encoding":
                transferCodings += Self.listed(field.value)
            case "connection":
                connectionOptions += Self.listed(field.value)
            case "expect" where !isVersion10:
                expectation =
                    field.value.lowercased() == "100-continue" && expectation != .unknown ? .continue : .unknown
            default:
                break
            }
        }
        guard hosts == 1 || isVersion10 else { throw .malformed(.hostMissing) }
        if headerFields.contains(.transferEncoding) {
            guard contentLength == nil else { throw .malformed(.bothLengths) }
            guard !isVersion10, transferCodings.last == "chunked", !transferCodings.dropLast().contains("chunked")
            else { throw .malformed(.transferEncoding) }
            guard transferCodings.count == 1 else { throw .unsupportedTransferCoding }
            framing = .chunked
        } else if let contentLength, contentLength > 0 {
            framing = .sized(contentLength)
        } else {
            framing = .none
        }
        self.method = method
        self.target = target
        self.headerFields = headerFields
        self.expectation = expectation
        self.isVersion10 = isVersion10
        keepsAlive =
            isVersion10
            ? connectionOptions.contains("keep-alive") && !connectionOptions.contains("close")
            : !connectionOptions.contains("close")
    }

    /// The members of a comma-separated list without surrounding blanks; empty ones are dropped.
    ///
    /// Lowercases only ASCII letters: Unicode would turn the Kelvin sign into `k`, and so another word into `chunked`.
    private static func listed(_ value: String) -> [String] {
        value.utf8.split(separator: UInt8(ascii: ",")).map { member in
            var member = member
            while let first = member.first, ByteGrammar.isBlank(first) { member.removeFirst() }
            while let last = member.last, ByteGrammar.isBlank(last) { member.removeLast() }
            return String(decoding: member.map(ByteGrammar.lowercased), as: UTF8.self)
        }
        .filter { !$0.isEmpty }
    }
}
