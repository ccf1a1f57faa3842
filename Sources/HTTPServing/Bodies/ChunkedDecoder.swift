import Foundation

/// The chunked transfer coding of RFC 9112, in pieces of any size; extensions and trailers are checked and dropped.
struct ChunkedDecoder {
    private enum State: Equatable {
        case size(Int, digits: Int)
        /// Blanks after the size; only an extension may follow.
        case sizeBlank(Int)
        case sizeExtension(Int)
        case sizeLineFeed(Int)
        case data(Int)
        case dataCarriageReturn
        case dataLineFeed
        case trailer
        case complete
    }

    private var state = State.size(0, digits: 0)
    private var extensionRoom: Int
    private var trailerRoom: Int
    private var trailerLine: [UInt8] = []

    init(limits: Limits) {
        extensionRoom = limits.chunkExtensionBytes
        trailerRoom = limits.headerBytes
    }

    var isComplete: Bool { state == .complete }

    mutating func decode(
        _ bytes: inout MutableSpan<UInt8>, in range: Range<Int>
    ) throws(HTTPParseError) -> BodyDecoder.Progress {
        var end = range.lowerBound
        var index = range.lowerBound
        while index < range.upperBound, state != .complete {
            if case .data(let remaining) = state {
                let taken = min(remaining, range.upperBound - index)
                bytes.withUnsafeMutableBytes { buffer in
                    guard let start = buffer.baseAddress, end != index else { return }
                    _ = memmove(start + end, start + index, taken)
                }
                end += taken
                index += taken
                state = taken == remaining ? .dataCarriageReturn : .data(remaining - taken)
            } else {
                try step(bytes[index])
                index += 1
            }
        }
        return BodyDecoder.Progress(payload: end - range.lowerBound, consumed: index - range.lowerBound)
    }

    private mutating func step(_ byte: UInt8) throws(HTTPParseError) {
        switch state {
        case .size(let size, let digits):
            if let digit = ByteGrammar.hexValue(byte) {
                let (product, overflow) = size.multipliedReportingOverflow(by: 16)
                // Sixteen digits are enough for every size; more would be endless zeros.
                guard !overflow, digits < 16 else { throw .chunkSize }
                state = .size(product + Int(digit), digits: digits + 1)
            } else if digits == 0 {
                throw .chunkSize
            } else if byte == ByteGrammar.carriageReturn {
                state = .sizeLineFeed(size)
            } else if byte == UInt8(ascii: ";") {
                state = .sizeExtension(size)
            } else if ByteGrammar.isBlank(byte) {
                state = .sizeBlank(size)
            } else {
                throw .chunkSize
            }
        case .sizeBlank(let size):
            guard byte == UInt8(ascii: ";") || ByteGrammar.isBlank(byte), extensionRoom > 0 else { throw .chunkSize }
            extensionRoom -= 1
            if byte == UInt8(ascii: ";") { state = .sizeExtension(size) }
        case .sizeExtension(let size):
            if byte == ByteGrammar.carriageReturn {
                state = .sizeLineFeed(size)
            } else {
                guard ByteGrammar.isFieldValue(byte), extensionRoom > 0 else { throw .chunkExtension }
                extensionRoom -= 1
            }
        case .sizeLineFeed(let size):
            guard byte == ByteGrammar.lineFeed else { throw .bareCarriageReturn }
            state = size == 0 ? .trailer : .data(size)
        case .dataCarriageReturn:
            guard byte == ByteGrammar.carriageReturn else { throw .chunkEnd }
            state = .dataLineFeed
        case .dataLineFeed:
            guard byte == ByteGrammar.lineFeed else { throw .chunkEnd }
            state = .size(0, digits: 0)
        case .trailer:
            try stepTrailer(byte)
        case .data, .complete:
            break
        }
    }

    private mutating func stepTrailer(_ byte: UInt8) throws(HTTPParseError) {
        guard trailerRoom > 0 else { throw .trailer }
        trailerRoom -= 1
        guard byte == ByteGrammar.lineFeed else {
            trailerLine.append(byte)
            return
        }
        guard trailerLine.popLast() == ByteGrammar.carriageReturn else { throw .bareLineFeed }
        if trailerLine.isEmpty {
            state = .complete
        } else {
            _ = try FieldLine.parse(trailerLine.span)
        }
        trailerLine = []
    }
}
