import Crypto
package import DurableFiles

/// The SHA-256 of a base model's weights, by which a federation names the model that it adapts.
package enum BaseDigest {
    /// In lower-case hexadecimal; reads the file in parts and blocks.
    package static func sha256(ofFile path: String) throws(FileError) -> String { try sha256(ofFiles: [path]) }

    /// That of all files' bytes one behind the other, as `cat FILES | sha256sum` gives it.
    package static func sha256(ofFiles paths: [String]) throws(FileError) -> String {
        var hasher = SHA256()
        for path in paths { try OwnedFile(path, for: .reading).readAll { hasher.update(bufferPointer: $0) } }
        return hasher.finalize().map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}
