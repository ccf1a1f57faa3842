import Crypto
import Federation
import Foundation

/// Checks that a blob still has the bytes that its client sent.
struct BlobCheck {
    let digest: ContentDigest
    let byteCount: Int

    /// Reads the whole file; blocks.
    func check(fileAt path: String) throws(BlobError) {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw errno == ENOENT ? .lost("its file is gone") : .unreadable(Self.message("open \(path)"))
        }
        defer { close(descriptor) }
        var hash = SHA256()
        var buffer = [UInt8](repeating: 0, count: 1 << 20)
        var length = 0
        while true {
            let count = read(descriptor, &buffer, buffer.count)
            if count < 0 {
                switch errno {
                case EINTR: continue
                case EIO: throw .lost("its file cannot be read")
                default: throw .unreadable(Self.message("read \(path)"))
                }
            }
            if count == 0 { break }
            buffer.withUnsafeBytes { hash.update(bufferPointer: UnsafeRawBufferPointer(rebasing: $0[..<count])) }
            length += count
        }
        guard length == byteCount else {
            throw .lost("its file has \(length.counted("byte")); the client sent \(byteCount)")
        }
        guard ContentDigest(bytes: Array(hash.finalize())) == digest else {
            throw .lost("its file has other bytes than the client sent")
        }
    }

    private static func message(_ call: String) -> String { "\(call): \(String(cString: strerror(errno)))" }
}

/// Why a blob cannot be aggregated.
enum BlobError: Error {
    /// The bytes are gone for good.
    case lost(String)
    /// A later attempt may succeed.
    case unreadable(String)
}
