package import HTTPTypes

/// The result of a request's preconditions and range for the current representation: preconditions first, then the
/// range.
package enum ConditionalRequest: Sendable, Hashable {
    case whole
    case part(Range<Int>)
    case unsatisfiable
    case notModified
    case preconditionFailed

    /// RFC 9110, 13.2.2, for representations without a modification date.
    package init(method: HTTPRequest.Method, headerFields: HTTPFields, etag: EntityTag, length: Int) {
        if let match = headerFields[.ifMatch], !etag.isNamed(inMatch: match) {
            self = .preconditionFailed
            return
        }
        if let noneMatch = headerFields[.ifNoneMatch], etag.isNamed(inNoneMatch: noneMatch) {
            self = method == .get || method == .head ? .notModified : .preconditionFailed
            return
        }
        guard method == .get, let range = headerFields[.range],
            headerFields[.ifRange].map(etag.isNamed(inRange:)) ?? true
        else {
            self = .whole
            return
        }
        switch ByteRange(parsing: range, length: length) {
        case .whole: self = .whole
        case .part(let part): self = .part(part)
        case .unsatisfiable: self = .unsatisfiable
        }
    }
}

extension Response {
    /// Answers with a file, or the requested part of it, or with 304 if the client has it already.
    package static func file(
        _ file: OpenFile, etag: EntityTag, contentType: String, for request: Request
    ) throws(RequestFailure) -> Response {
        try conditional(.file(file, 0..<file.byteCount), etag, contentType, request) { .file(file, $0) }
    }

    /// Does the same for bytes in memory.
    package static func bytes(
        _ bytes: [UInt8], etag: EntityTag, contentType: String, for request: Request
    ) throws(RequestFailure) -> Response {
        try conditional(.bytes(bytes), etag, contentType, request) { .bytes(Array(bytes[$0])) }
    }

    private static func conditional(
        _ whole: Body, _ etag: EntityTag, _ contentType: String, _ request: Request, part: (Range<Int>) -> Body
    ) throws(RequestFailure) -> Response {
        var fields: HTTPFields = [.eTag: etag.description]
        let conditional = ConditionalRequest(
            method: request.method, headerFields: request.headerFields, etag: etag, length: whole.count)
        switch conditional {
        case .notModified:
            return Response(status: .notModified, headerFields: fields)
        case .preconditionFailed:
            return Response(status: .preconditionFailed, headerFields: fields)
        case .unsatisfiable:
            throw .rangeNotSatisfiable(length: whole.count)
        case .whole:
            fields[.acceptRanges] = "bytes"
            fields[.contentType] = contentType
            return Response(status: .ok, headerFields: fields, body: whole)
        case .part(let range):
            fields[.acceptRanges] = "bytes"
            fields[.contentType] = contentType
            fields[.contentRange] = "bytes \(range.lowerBound)-\(range.upperBound - 1)/\(whole.count)"
            return Response(status: .partialContent, headerFields: fields, body: part(range))
        }
    }
}
