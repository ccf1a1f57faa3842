/// Percent-encoding of RFC 3986: decodes it into printable text or refuses it.
enum PercentEncoding {
    static func decode(_ bytes: Span<UInt8>, plusIsSpace: Bool = false) throws(HTTPParseError) -> String {
        let plus = UInt8(ascii: "+")
        guard bytes.firstIndex(of: ByteGrammar.percent) != nil || (plusIsSpace && bytes.firstIndex(of: plus) != nil)
        else { return bytes.text }
        var decoded: [UInt8] = []
        decoded.reserveCapacity(bytes.count)
        var index = 0
        while index < bytes.count {
            var byte = bytes[index]
            index += 1
            if byte == ByteGrammar.percent {
                guard bytes.count - index >= 2, let high = ByteGrammar.hexValue(bytes[index]),
                    let low = ByteGrammar.hexValue(bytes[index + 1])
                else { throw .percentEncoding }
                byte = high << 4 | low
                guard byte >= 0x20, byte != 0x7F else { throw .percentEncoding }
                index += 2
            } else if plusIsSpace, byte == plus {
                byte = ByteGrammar.space
            }
            decoded.append(byte)
        }
        guard let text = String(validating: decoded, as: UTF8.self) else { throw .percentEncoding }
        return text
    }
}
