import HTTPServing
import Testing

@Suite struct BodyDecoderTests {
    private func decode(_ text: String, _ framing: RequestHead.Framing, pieces: Int) throws -> (String, rest: Int) {
        var decoder = BodyDecoder(framing, limits: Limits())
        let bytes = Array(text.utf8)
        var payload: [UInt8] = []
        var start = 0
        while start < bytes.count, !decoder.isComplete {
            // The margin shows that nothing outside of the range is touched.
            var piece = [0] + Array(bytes[start..<min(start + pieces, bytes.count)]) + [0]
            let range = 1..<piece.count - 1
            var span = piece.mutableSpan
            let progress = try decoder.decode(&span, in: range)
            payload += piece[1..<1 + progress.payload]
            #expect(piece.first == 0 && piece.last == 0)
            start += progress.consumed
        }
        #expect(decoder.isComplete)
        return (String(decoding: payload, as: UTF8.self), bytes.count - start)
    }

    @Test(arguments: [1, 2, 3, 5, 1000])
    func `chunks are joined and what follows them is left`(pieces: Int) throws {
        let text = "5\r\nhello\r\n0001;name=\"v\" \r\n,\r\nA\r\n world....\r\n000\r\nTrailer: x\r\nB:\r\n\r\nGET "
        let (payload, rest) = try decode(text, .chunked, pieces: pieces)
        #expect(payload == "hello, world....")
        #expect(rest == 4)
    }

    @Test(arguments: [1, 3, 1000])
    func `a sized body ends where it says`(pieces: Int) throws {
        let (payload, rest) = try decode("helloGET ", .sized(5), pieces: pieces)
        #expect(payload == "hello")
        #expect(rest == 4)
    }

    @Test func `a request without a body has none`() {
        #expect(BodyDecoder(.none, limits: Limits()).isComplete)
    }
}
