import Glibc

/// An open file or folder, closed with its last owner.
final class FileDescriptor: Sendable {
    let number: CInt

    init(opening path: String, _ flags: CInt) throws(FileError) {
        number = open(path, flags | O_CLOEXEC, 0o600)
        guard number >= 0 else { throw FileError(doing: "open", path: path) }
    }

    /// Makes what was written, or a folder's names, durable; the path is for the error.
    func sync(_ path: String) throws(FileError) {
        guard fsync(number) == 0 else { throw FileError(doing: "sync", path: path) }
    }

    /// Hands all bytes from here to the end to `take`, up to 1 MiB at a time; the path is for the error.
    func readAll(_ path: String, _ take: (UnsafeRawBufferPointer) throws -> Void) throws {
        var buffer = [UInt8](repeating: 0, count: 1 << 20)
        while true {
            let count = read(number, &buffer, buffer.count)
            guard count >= 0 else {
                if errno == EINTR { continue }
                throw FileError(doing: "read", path: path)
            }
            guard count > 0 else { return }
            try buffer.withUnsafeBytes { try take(UnsafeRawBufferPointer(rebasing: $0[..<count])) }
        }
    }

    /// Writes all bytes; the path is for the error.
    func writeAll(_ bytes: UnsafeRawBufferPointer, _ path: String) throws(FileError) {
        var rest = bytes
        while !rest.isEmpty {
            let count = write(number, rest.baseAddress, rest.count)
            guard count >= 0 else {
                if errno == EINTR { continue }
                throw FileError(doing: "write", path: path)
            }
            rest = UnsafeRawBufferPointer(rebasing: rest[count...])
        }
    }

    deinit {
        if number >= 0 { close(number) }
    }
}

/// What the file system refused to do, with its reason.
struct FileError: Error, CustomStringConvertible {
    let action: String
    let path: String
    let code: CInt

    /// Takes the reason from `errno`, so it must be made before anything else is called.
    init(doing action: String, path: String) {
        code = errno
        self.action = action
        self.path = path
    }

    var isOutOfSpace: Bool { code == ENOSPC || code == EDQUOT }

    var description: String { "cannot \(action): \(path): \(String(cString: strerror(code)))" }
}
