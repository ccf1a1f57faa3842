import HTTPTypes

/// Parses request heads from pieces of bytes of any size, line by line and within limits.
///
/// It keeps only the fields read so far and one unfinished line, and nothing between two requests.
package struct RequestHeadParser {
    package enum Progress {
        case incomplete
        /// - Parameter consumed: how many of the bytes belong to the head; the rest is its body or the next request.
        case complete(RequestHead, consumed: Int)
    }

    private struct Draft {
        var method: HTTPRequest.Method
        var target: RequestTarget
        var isVersion10: Bool
        var headerFields = HTTPFields()
        var headerBytes = 0
    }

    private var unfinishedLine: [UInt8] = []
    private var draft: Draft?
    private var skippedEmptyLine = false
    /// Whether the current request is a HEAD, whose answer has no body even if the request fails.
    private(set) var isHead = false

    package init() {}

    /// Whether no byte of a next request has arrived.
    package var isIdle: Bool { draft == nil && unfinishedLine.isEmpty && !skippedEmptyLine }

    /// Do not call it again after a failure: the start of the next request is unknown.
    package mutating func consume(_ input: Span<UInt8>, limits: Limits) throws(RequestFailure) -> Progress {
        var offset = 0
        while offset < input.count {
            let rest = input.extracting(offset...)
            guard let feed = rest.firstIndex(of: ByteGrammar.lineFeed) else {
                try checkLength(unfinishedLine.count + rest.count, limits)
                append(rest)
                return .incomplete
            }
            offset += feed + 1
            let piece = rest.extracting(..<feed)
            try checkLength(unfinishedLine.count + piece.count + 1, limits)
            let head: RequestHead?
            if unfinishedLine.isEmpty {
                head = try accept(piece, limits)
            } else {
                append(piece)
                let line = unfinishedLine
                unfinishedLine = []
                head = try accept(line.span, limits)
            }
            if let head {
                self = RequestHeadParser()
                return .complete(head, consumed: offset)
            }
        }
        return .incomplete
    }

    private mutating func append(_ piece: Span<UInt8>) {
        piece.withUnsafeBufferPointer { unfinishedLine.append(contentsOf: $0) }
    }

    private func checkLength(_ lineLength: Int, _ limits: Limits) throws(RequestFailure) {
        if let draft {
            guard draft.headerBytes + lineLength <= limits.headerBytes else { throw Self.headerTooLarge(limits) }
        } else {
            guard lineLength <= limits.requestLineBytes else { throw .uriTooLong(limit: limits.requestLineBytes) }
        }
    }

    /// Takes one line without its LF.
    /// - Returns: the head, if this was the empty line that ends it.
    private mutating func accept(_ terminated: Span<UInt8>, _ limits: Limits) throws(RequestFailure) -> RequestHead? {
        guard terminated.count > 0, terminated[terminated.count - 1] == ByteGrammar.carriageReturn else {
            throw .malformed(.bareLineFeed)
        }
        let line = terminated.extracting(..<(terminated.count - 1))
        guard draft != nil else {
            try acceptRequestLine(line)
            return nil
        }
        draft?.headerBytes += terminated.count + 1
        if line.count > 0 {
            guard let count = draft?.headerFields.count, count < min(limits.headerFields, Self.mostFields) else {
                throw Self.headerTooLarge(limits)
            }
            do {
                draft?.headerFields.append(try FieldLine.parse(line))
            } catch {
                throw .malformed(error)
            }
            return nil
        }
        guard let finished = draft else { return nil }
        return try RequestHead(
            method: finished.method, target: finished.target, isVersion10: finished.isVersion10,
            headerFields: finished.headerFields)
    }

    private mutating func acceptRequestLine(_ line: Span<UInt8>) throws(RequestFailure) {
        if line.count == 0, !skippedEmptyLine {
            // RFC 9112, 2.2: some clients send an empty line after a body.
            skippedEmptyLine = true
            return
        }
        guard line.firstIndex(of: ByteGrammar.carriageReturn) == nil else { throw .malformed(.bareCarriageReturn) }
        guard let methodEnd = line.firstIndex(of: ByteGrammar.space) else { throw .malformed(.requestLine) }
        let afterMethod = line.extracting((methodEnd + 1)...)
        guard let targetEnd = afterMethod.firstIndex(of: ByteGrammar.space) else { throw .malformed(.requestLine) }
        let name = line.extracting(..<methodEnd)
        for index in name.indices where !ByteGrammar.isToken(name[index]) { throw .malformed(.method) }
        guard let method = HTTPRequest.Method(rawValue: name.text) else { throw .malformed(.method) }
        isHead = method == .head
        let isVersion10 = try Self.isVersion10(afterMethod.extracting((targetEnd + 1)...))
        do {
            let target = try RequestTarget(parsing: afterMethod.extracting(..<targetEnd), method: method)
            draft = Draft(method: method, target: target, isVersion10: isVersion10)
        } catch {
            throw .malformed(error)
        }
    }

    private static func isVersion10(_ version: Span<UInt8>) throws(RequestFailure) -> Bool {
        guard version.count == 8, version.extracting(..<5).text == "HTTP/", ByteGrammar.isDigit(version[5]),
            version[6] == UInt8(ascii: "."), ByteGrammar.isDigit(version[7])
        else { throw .malformed(.version) }
        guard version[5] == UInt8(ascii: "1") else { throw .versionNotSupported }
        return version[7] == UInt8(ascii: "0")
    }

    /// `HTTPFields` ends the process at 65,535.
    private static let mostFields = 60_000

    private static func headerTooLarge(_ limits: Limits) -> RequestFailure {
        .headerTooLarge(bytes: limits.headerBytes, fields: limits.headerFields)
    }
}
