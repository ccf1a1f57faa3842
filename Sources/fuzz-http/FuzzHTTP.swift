import HTTPServing
import HTTPTypes

/// Takes one input through all that a request passes on its way to a handler: the head's parser, the router, the query,
/// preconditions and ranges, and the body's decoder.
///
/// The first byte says in what pieces the rest comes. What is understood must not depend on it, so each input is also
/// read in one piece, and both readings must agree.
@_cdecl("LLVMFuzzerTestOneInput")
public func takeInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    guard let start, count > 1 else { return 0 }
    let input = Array(UnsafeBufferPointer(start: start, count: count))
    let stream = Array(input[1...])
    let whole = Reading(of: stream, pieces: stream.count)
    let pieces = Reading(of: stream, pieces: Int(input[0] % 64) + 1)
    precondition(whole.events == pieces.events, "\(whole.events) is not \(pieces.events)")
    return 0
}

/// What a connection would have made of a stream of bytes.
private struct Reading {
    private(set) var events: [String] = []
    private let stream: [UInt8]
    private let pieces: Int
    private var position = 0

    /// Small enough for an input to reach each of them.
    private static let limits: Limits = {
        var limits = Limits()
        limits.requestLineBytes = 256
        limits.headerBytes = 512
        limits.headerFields = 8
        limits.chunkExtensionBytes = 16
        return limits
    }()

    private static let router: Router = {
        var router = Router()
        for pattern in ["/", "/v1/federations/{f}", "/v1/federations/{f}/rounds/current", "/v1/{x}/{y}/rounds/{t}"] {
            router.on(.get, pattern) { _ in Response(status: .ok) }
        }
        router.on(.put, "/v1/{x}/{y}/rounds/{t}") { _ in Response(status: .created) }
        return router
    }()

    init(of stream: [UInt8], pieces: Int) {
        self.stream = stream
        self.pieces = pieces
        do {
            while let head = try readHead() {
                inspect(head)
                try readBody(head)
            }
        } catch {
            events.append("refused: \(error)")
        }
    }

    private func nextPiece() -> [UInt8] {
        Array(stream[position..<min(position + pieces, stream.count)])
    }

    private mutating func readHead() throws -> RequestHead? {
        var parser = RequestHeadParser()
        while position < stream.count {
            let piece = nextPiece()
            switch try parser.consume(piece.span, limits: Self.limits) {
            case .incomplete:
                position += piece.count
            case .complete(let head, let consumed):
                precondition(consumed > 0 && consumed <= piece.count, "a head of \(consumed) of \(piece.count) bytes")
                position += consumed
                return head
            }
        }
        events.append(parser.isIdle ? "idle" : "unfinished head")
        return nil
    }

    private mutating func inspect(_ head: RequestHead) {
        events.append("\(head.method) \(head.target) \(head.framing) \(head.expectation) \(head.keepsAlive)")
        events.append("\(head.headerFields.map(\.description))")
        do {
            let match = try Self.router.match(head.method, head.target)
            events.append("\(match.pattern) \(match.parameters)")
        } catch {
            events.append("\(error) \(error.status) \(error.detail)")
        }
        for length in [0, 1, 10, .max] {
            guard let etag = EntityTag("a", isWeak: length == 1) else { continue }
            let asked = ConditionalRequest(
                method: head.method, headerFields: head.headerFields, etag: etag, length: length)
            if case .part(let range) = asked {
                precondition(!range.isEmpty && range.upperBound <= length, "\(range) of \(length) bytes")
            }
            events.append("\(asked)")
        }
    }

    private mutating func readBody(_ head: RequestHead) throws {
        var decoder = BodyDecoder(head.framing, limits: Self.limits)
        var body: [UInt8] = []
        while !decoder.isComplete, position < stream.count {
            var piece = nextPiece()
            let range = 0..<piece.count
            var span = piece.mutableSpan
            let progress = try decoder.decode(&span, in: range)
            precondition(progress.payload <= progress.consumed && progress.consumed <= range.count, "\(progress)")
            precondition(progress.consumed == range.count || decoder.isComplete, "\(progress) of \(range.count) bytes")
            body += piece[..<progress.payload]
            position += progress.consumed
        }
        events.append("\(body) \(decoder.isComplete)")
    }
}
