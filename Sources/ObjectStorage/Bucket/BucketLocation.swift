/// A bucket and the prefix of all keys in it: `s3://bucket/prefix`.
package struct BucketLocation: Sendable, Hashable {
    package let bucket: String
    /// Empty, or ends with a slash.
    package let prefix: String

    /// - Parameter prefix: with or without a slash at its end; empty for the whole bucket.
    package init(bucket: String, prefix: String = "") throws(ObjectError) {
        guard Self.isBucketName(bucket) else {
            throw .invalid(
                "\(bucket) is no name of a bucket: 3 to 63 lowercase letters, digits, dots and hyphens, with a letter or a "
                    + "digit at each end")
        }
        self.bucket = bucket
        let bare = prefix.hasSuffix("/") ? String(prefix.dropLast()) : prefix
        if !bare.isEmpty { try ObjectKey.check(bare) }
        self.prefix = bare.isEmpty ? "" : bare + "/"
    }

    /// Reads `s3://bucket`, `s3://bucket/` or `s3://bucket/prefix`.
    package init(url: String) throws(ObjectError) {
        let scheme = "s3://"
        guard url.hasPrefix(scheme) else { throw .invalid("\(url) does not begin with \(scheme)") }
        let rest = url.dropFirst(scheme.count)
        guard !rest.contains(where: { "?#@".contains($0) }) else {
            throw .invalid("an s3:// URL has a bucket and a prefix, and neither ?, # nor @")
        }
        let bucket = rest.prefix { $0 != "/" }
        try self.init(bucket: String(bucket), prefix: String(rest.dropFirst(bucket.count).drop { $0 == "/" }))
    }

    private static func isBucketName(_ name: String) -> Bool {
        func isAlphanumeric(_ byte: UInt8) -> Bool {
            (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
                || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
        }
        let bytes = Array(name.utf8)
        guard (3...63).contains(bytes.count), isAlphanumeric(bytes[0]), isAlphanumeric(bytes[bytes.count - 1]) else {
            return false
        }
        return bytes.allSatisfy { isAlphanumeric($0) || $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: "-") }
            && !name.contains("..")
    }
}

extension BucketLocation: CustomStringConvertible {
    package var description: String { "s3://\(bucket)/\(prefix)" }
}
