/// The rules for keys. They are narrower than S3's, so that a key means the same to every store and proxy.
enum ObjectKey {
    /// S3's longest key, in bytes.
    static let longest = 1024

    /// Refuses keys with empty, `.` or `..` segments, which proxies and curl rewrite, and with control characters, which
    /// XML cannot carry.
    static func check(_ key: String) throws(ObjectError) {
        guard !key.isEmpty else { throw .invalid("a key is empty") }
        guard key.utf8.count <= longest else { throw .invalid("a key is longer than \(longest) bytes") }
        guard
            key.unicodeScalars.allSatisfy({ $0.value >= 0x20 && !(0x7F...0x9F).contains($0.value) && $0.value < 0xFFFE }
            )
        else { throw .invalid("a key has a character that is not allowed") }
        // By bytes, because a slash and an accent behind it are one character.
        for segment in key.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false) {
            guard !segment.isEmpty, !segment.elementsEqual(".".utf8), !segment.elementsEqual("..".utf8) else {
                throw .invalid("\(key) has an empty segment or one of dots")
            }
        }
    }
}
