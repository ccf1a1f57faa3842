/// The grammar of `Host` and of an absolute target's authority: `host` or `host:port`, without user information.
enum HostField {
    static func isValid(_ bytes: Span<UInt8>) -> Bool {
        for index in bytes.indices where !ByteGrammar.isHost(bytes[index]) { return false }
        let colon = UInt8(ascii: ":")
        var hostEnd = bytes.count
        if bytes.count > 0, bytes[0] == UInt8(ascii: "[") {
            guard let close = bytes.firstIndex(of: UInt8(ascii: "]")) else { return false }
            hostEnd = close + 1
        } else {
            for index in bytes.indices {
                if bytes[index] == UInt8(ascii: "[") || bytes[index] == UInt8(ascii: "]") { return false }
                if bytes[index] == colon, hostEnd == bytes.count { hostEnd = index }
            }
        }
        guard hostEnd < bytes.count else { return true }
        guard bytes[hostEnd] == colon, bytes.count - hostEnd <= 6 else { return false }
        for index in (hostEnd + 1)..<bytes.count where !ByteGrammar.isDigit(bytes[index]) { return false }
        return true
    }
}
