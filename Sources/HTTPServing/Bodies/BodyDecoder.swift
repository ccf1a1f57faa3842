/// Finds a body's payload in the bytes after a head, and the body's end.
package struct BodyDecoder {
    package struct Progress: Equatable {
        /// How many payload bytes now stand at the start of the range.
        package var payload: Int
        /// How many of the bytes belonged to the body; the rest is the next request.
        package var consumed: Int
    }

    private enum State {
        case sized(remaining: Int)
        case chunked(ChunkedDecoder)
    }

    private var state: State

    package init(_ framing: RequestHead.Framing, limits: Limits) {
        switch framing {
        case .none: state = .sized(remaining: 0)
        case .sized(let length): state = .sized(remaining: length)
        case .chunked: state = .chunked(ChunkedDecoder(limits: limits))
        }
    }

    package var isComplete: Bool {
        switch state {
        case .sized(let remaining): remaining == 0
        case .chunked(let decoder): decoder.isComplete
        }
    }

    /// How much to read at once, so that little of the next request is read too.
    func readSize(upTo most: Int) -> Int {
        switch state {
        case .sized(let remaining): min(remaining, most)
        case .chunked: min(64 << 10, most)
        }
    }

    /// Moves the payload in a range of the bytes to that range's front.
    package mutating func decode(
        _ bytes: inout MutableSpan<UInt8>, in range: Range<Int>
    ) throws(HTTPParseError) -> Progress {
        switch state {
        case .sized(let remaining):
            let taken = min(remaining, range.count)
            state = .sized(remaining: remaining - taken)
            return Progress(payload: taken, consumed: taken)
        case .chunked(var decoder):
            let progress = try decoder.decode(&bytes, in: range)
            state = .chunked(decoder)
            return progress
        }
    }
}
