import HTTPServing
import HTTPTypes

/// Why this server does not do what it is asked for, by S3's names.
package enum S3Failure: Error, Sendable, Hashable {
    case noSuchKey
    case noSuchBucket
    case accessDenied(String)
    case invalidAccessKeyID
    case invalidToken
    case signatureDoesNotMatch
    case requestTimeTooSkewed
    case contentDigestMissing
    case contentDigestMismatch
    case missingContentLength
    case entityTooLarge
    case invalidRange
    case invalidArgument(String)
    /// S3 has it and this server does not.
    case notImplemented(String)
    /// What a fault that was set answers.
    case fault(status: Int, code: String, retryAfter: Int?)

    var code: String {
        switch self {
        case .noSuchKey: "NoSuchKey"
        case .noSuchBucket: "NoSuchBucket"
        case .accessDenied: "AccessDenied"
        case .invalidAccessKeyID: "InvalidAccessKeyId"
        case .invalidToken: "InvalidToken"
        case .signatureDoesNotMatch: "SignatureDoesNotMatch"
        case .requestTimeTooSkewed: "RequestTimeTooSkewed"
        case .contentDigestMissing: "InvalidRequest"
        case .contentDigestMismatch: "XAmzContentSHA256Mismatch"
        case .missingContentLength: "MissingContentLength"
        case .entityTooLarge: "EntityTooLarge"
        case .invalidRange: "InvalidRange"
        case .invalidArgument: "InvalidArgument"
        case .notImplemented: "NotImplemented"
        case .fault(_, let code, _): code
        }
    }

    var status: HTTPResponse.Status {
        switch self {
        case .noSuchKey, .noSuchBucket: .notFound
        case .accessDenied, .invalidAccessKeyID, .signatureDoesNotMatch, .requestTimeTooSkewed: .forbidden
        case .invalidToken, .contentDigestMissing, .contentDigestMismatch, .invalidArgument, .entityTooLarge:
            .badRequest
        case .missingContentLength: .lengthRequired
        case .invalidRange: .rangeNotSatisfiable
        case .notImplemented: .notImplemented
        case .fault(let status, _, _): .init(code: status)
        }
    }

    var message: String {
        switch self {
        case .noSuchKey: "The specified key does not exist."
        case .noSuchBucket: "The specified bucket does not exist."
        case .accessDenied(let reason): "Access Denied: \(reason)"
        case .invalidAccessKeyID: "The AWS access key Id you provided does not exist in our records."
        case .invalidToken: "The provided token is malformed or otherwise invalid."
        case .signatureDoesNotMatch: "The request signature we calculated does not match the signature you provided."
        case .requestTimeTooSkewed: "The difference between the request time and the server's time is too large."
        case .contentDigestMissing: "Missing required header for this request: x-amz-content-sha256"
        case .contentDigestMismatch: "The provided 'x-amz-content-sha256' header does not match what was computed."
        case .missingContentLength: "You must provide the Content-Length HTTP header."
        case .entityTooLarge: "Your proposed upload exceeds the maximum allowed object size."
        case .invalidRange: "The requested range is not satisfiable"
        case .invalidArgument(let reason): reason
        case .notImplemented(let what): "This server does not implement \(what)."
        case .fault: "A fault was set."
        }
    }

    var response: Response {
        var response = Response(
            status: status, contentType: "application/xml",
            bytes: Array(XML.document("Error") { [XML.element("Code", code), XML.element("Message", message)] }.utf8))
        if case .fault(_, _, let seconds?) = self { response.headerFields[.retryAfter] = "\(seconds)" }
        return response
    }
}

/// XML as it is written: elements without attributes.
enum XML {
    static func document(_ name: String, _ children: () -> [String]) -> String {
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<\(name)>\(children().joined())</\(name)>"
    }

    static func element(_ name: String, _ text: String) -> String { "<\(name)>\(escaped(text))</\(name)>" }

    private static func escaped(_ text: String) -> String {
        var escaped = ""
        for character in text.unicodeScalars {
            switch character {
            case "&": escaped += "&amp;"
            case "<": escaped += "&lt;"
            case ">": escaped += "&gt;"
            default: escaped.unicodeScalars.append(character)
            }
        }
        return escaped
    }
}
