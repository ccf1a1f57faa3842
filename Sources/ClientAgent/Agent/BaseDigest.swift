package import AdapterFormat
import Crypto
import Glibc

/// The SHA-256 of a base model's weights, by which a federation names the model that it adapts.
package enum BaseDigest {
    /// In lower-case hexadecimal; reads the file in parts and blocks.
    package static func sha256(ofFile path: String) throws(SystemError) -> String {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .last("open \(path)") }
        defer { close(descriptor) }
        var hasher = SHA256()
        var part = [UInt8](repeating: 0, count: 1 << 20)
        while true {
            let count = read(descriptor, &part, part.count)
            if count < 0 {
                if errno == EINTR { continue }
                throw .last("read \(path)")
            }
            if count == 0 { break }
            hasher.update(data: part[..<count])
        }
        return hasher.finalize().map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}
