package import HTTPTypes

/// Every reason for which the server itself, or a handler, refuses a request.
///
/// The API layer renders it (`HTTPServer.init(renderFailure:)`). The server then adds the header fields that the
/// protocol requires for the status.
package enum RequestFailure: Error, Sendable, Hashable {
    case malformed(HTTPParseError)
    case notFound
    case methodNotAllowed(allow: [HTTPRequest.Method])
    case timeout
    case lengthRequired
    /// - Parameter limit: the largest accepted number of bytes.
    case contentTooLarge(limit: Int)
    case uriTooLong(limit: Int)
    case rangeNotSatisfiable(length: Int)
    case expectationFailed
    /// The header section exceeds one of its two limits.
    case headerTooLarge(bytes: Int, fields: Int)
    case `internal`
    case unsupportedTransferCoding
    case overloaded(retryAfter: Int)
    case versionNotSupported
    case insufficientStorage

    package var status: HTTPResponse.Status {
        switch self {
        case .malformed: .badRequest
        case .notFound: .notFound
        case .methodNotAllowed: .methodNotAllowed
        case .timeout: .requestTimeout
        case .lengthRequired: .lengthRequired
        case .contentTooLarge: .contentTooLarge
        case .uriTooLong: .uriTooLong
        case .rangeNotSatisfiable: .rangeNotSatisfiable
        case .expectationFailed: .expectationFailed
        case .headerTooLarge: .requestHeaderFieldsTooLarge
        case .internal: .internalServerError
        case .unsupportedTransferCoding: .notImplemented
        case .overloaded: .serviceUnavailable
        case .versionNotSupported: .init(code: 505, reasonPhrase: "HTTP Version Not Supported")
        case .insufficientStorage: .init(code: 507, reasonPhrase: "Insufficient Storage")
        }
    }

    /// A text for the sender; it contains nothing internal.
    package var detail: String {
        switch self {
        case .malformed(let reason): reason.description
        case .notFound: "nothing is served under this path"
        case .methodNotAllowed(let allow): "this path takes \(Self.list(allow))"
        case .timeout: "the request did not arrive in time"
        case .lengthRequired: "this request must carry Content-Length"
        case .contentTooLarge(let limit): "the body may be at most \(limit) bytes"
        case .uriTooLong(let limit): "the request line may be at most \(limit) bytes"
        case .rangeNotSatisfiable(let length): "the range lies outside of the \(length) bytes there are"
        case .expectationFailed: "the only expectation that is met is 100-continue"
        case .headerTooLarge(let bytes, let fields):
            "the header section may be at most \(bytes) bytes and \(fields) fields"
        case .internal: "the server failed to answer; its log says why"
        case .unsupportedTransferCoding: "the only transfer coding that is understood is chunked"
        case .overloaded(let seconds): "the server has too much to do; come back in \(seconds) s"
        case .versionNotSupported: "this server speaks HTTP/1.1"
        case .insufficientStorage: "there is no room to store the body"
        }
    }

    /// The fields that RFC 9110 requires for the status.
    var requiredFields: HTTPFields {
        switch self {
        case .methodNotAllowed(let allow): [.allow: Self.list(allow)]
        case .rangeNotSatisfiable(let length): [.contentRange: "bytes */\(length)"]
        case .overloaded(let seconds): [.retryAfter: String(seconds)]
        default: [:]
        }
    }

    private static func list(_ methods: [HTTPRequest.Method]) -> String {
        methods.map(\.rawValue).joined(separator: ", ")
    }
}

extension RequestFailure {
    /// The answer if a handler does not catch its body's failure; nil where no peer is left.
    init?(_ error: RequestBodyError) {
        switch error {
        case .tooLong(let limit): self = .contentTooLarge(limit: limit)
        case .tooSlow: self = .timeout
        case .malformed(let reason): self = .malformed(reason)
        case .noSpace: self = .insufficientStorage
        case .overloaded(let seconds): self = .overloaded(retryAfter: seconds)
        case .fileFailed, .alreadyRead: self = .internal
        case .peerGone, .stopped: return nil
        }
    }
}
