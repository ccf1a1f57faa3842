package import HTTPTypes

/// An answer. The server adds `Content-Length`, `Date` and `Connection`, and omits the body for `HEAD`.
package struct Response: Sendable {
    package enum Body: Sendable {
        case empty
        case bytes([UInt8])
        /// - Parameter range: which of the file's bytes; it must lie within the file.
        case file(OpenFile, Range<Int>)

        var count: Int {
            switch self {
            case .empty: 0
            case .bytes(let bytes): bytes.count
            case .file(_, let range): range.count
            }
        }
    }

    package var status: HTTPResponse.Status
    /// `Connection: close` is honoured; the server replaces other framing fields by the true values.
    package var headerFields: HTTPFields
    package var body: Body

    package init(status: HTTPResponse.Status, headerFields: HTTPFields = [:], body: Body = .empty) {
        self.status = status
        self.headerFields = headerFields
        self.body = body
    }

    package init(status: HTTPResponse.Status, contentType: String, bytes: [UInt8]) {
        self.init(status: status, headerFields: [.contentType: contentType], body: .bytes(bytes))
    }
}
