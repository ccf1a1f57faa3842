import HTTPTypes

/// A response's status line and header section as bytes.
enum ResponseHead {
    static let continueLine: StaticString = "HTTP/1.1 100 Continue\r\n\r\n"

    static func append(
        _ response: Response, date: [UInt8], keepsAlive: Bool, isVersion10: Bool, to bytes: inout [UInt8]
    ) {
        append("HTTP/1.1 ", to: &bytes)
        append(response.status.code, to: &bytes)
        bytes.append(ByteGrammar.space)
        append(response.status.reasonPhrase, to: &bytes)
        append("\r\n", to: &bytes)
        for field in response.headerFields where !isManaged(field.name.canonicalName) {
            append(field.name.rawName, to: &bytes)
            append(": ", to: &bytes)
            field.withUnsafeBytesOfValue { bytes.append(contentsOf: $0) }
            append("\r\n", to: &bytes)
        }
        append("Date: ", to: &bytes)
        bytes.append(contentsOf: date)
        if carriesLength(response.status) {
            append("\r\nContent-Length: ", to: &bytes)
            append(response.body.count, to: &bytes)
        }
        if !keepsAlive {
            append("\r\nConnection: close", to: &bytes)
        } else if isVersion10 {
            append("\r\nConnection: keep-alive", to: &bytes)
        }
        append("\r\n\r\n", to: &bytes)
    }

    static func asksToClose(_ fields: HTTPFields) -> Bool {
        fields.contains { $0.name.canonicalName == "connection" && $0.value.lowercased() == "close" }
    }

    static func carriesLength(_ status: HTTPResponse.Status) -> Bool {
        status.code != 204 && status.code != 304
    }

    /// Whether the server itself sets this field, because it frames the message.
    private static func isManaged(_ name: String) -> Bool {
        switch name {
        case "connection", "content-length", "date", "keep-alive", "transfer-encoding": true
        default: false
        }
    }

    private static func append(_ text: StaticString, to bytes: inout [UInt8]) {
        text.withUTF8Buffer { bytes.append(contentsOf: $0) }
    }

    private static func append(_ text: String, to bytes: inout [UInt8]) {
        bytes.append(contentsOf: text.utf8)
    }

    /// - Precondition: `number` is not negative.
    private static func append(_ number: Int, to bytes: inout [UInt8]) {
        let start = bytes.count
        var rest = number.magnitude
        repeat {
            bytes.append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10))
            rest /= 10
        } while rest > 0
        bytes[start...].reverse()
    }
}
