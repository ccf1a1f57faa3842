import Glibc

/// An open file or folder, closed with its last owner.
final class FileDescriptor: Sendable {
    let number: CInt

    init(opening path: String, _ flags: CInt) throws(FileError) {
        number = open(path, flags | O_CLOEXEC, 0o600)
        guard number >= 0 else { throw FileError(doing: "open", path: path) }
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
