/// Why a request is not HTTP/1.1 by RFC 9110 and RFC 9112, or violates this server's stricter rules.
package enum HTTPParseError: String, Error, Sendable, Hashable, CaseIterable {
    case requestLine = "the request line is not `METHOD SP target SP HTTP-version`"
    case method = "the method is not a token"
    case version = "the version is not `HTTP/` digit `.` digit"
    case target = "the request target holds characters that a URI cannot, or a form that an origin does not serve"
    case percentEncoding = "percent-encoding must be % and two hex digits that decode to printable UTF-8"
    case bareLineFeed = "a line ends in LF without CR"
    case bareCarriageReturn = "CR stands where no line ends"
    case foldedHeader = "a header line begins with white space"
    case fieldName = "a header field's name is not a token followed by a colon"
    case fieldValue = "a header field's value holds control characters"
    case hostMissing = "an HTTP/1.1 request must carry Host"
    case hostRepeated = "Host stands more than once"
    case hostInvalid = "Host is not `host` or `host:port`"
    case contentLength = "Content-Length is not one decimal number"
    case contentLengthRepeated = "Content-Length stands more than once"
    case bothLengths = "Content-Length and Transfer-Encoding exclude each other"
    case transferEncoding = "the only Transfer-Encoding of a request's end is one chunked, on HTTP/1.1"
    case chunkSize = "a chunk's size is not a hexadecimal number within bounds"
    case chunkExtension = "a chunk's extension is too long or holds control characters"
    case chunkEnd = "a chunk's data is not followed by CR LF"
    case trailer = "the trailer section is not made of header lines within bounds"
}

extension HTTPParseError: CustomStringConvertible {
    package var description: String { rawValue }
}
