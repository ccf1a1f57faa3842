import AdapterFormat
import Glibc

/// Files that are whole after any crash: they have the old content or the new one, never a part.
enum DurableFile {
    /// Replaces the file at `path`, readable only by its owner; durable on return.
    static func write(_ bytes: [UInt8], to path: String) throws(StateError) {
        let beside = path + ".new"
        let file = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw .failed(path: beside, errno: errno) }
        // A file that did not fit is deleted, so that it takes no space.
        var isWhole = false
        defer {
            close(file)
            if !isWhole { unlink(beside) }
        }
        var done = 0
        while done < bytes.count {
            let count = bytes[done...].withUnsafeBytes { Glibc.write(file, $0.baseAddress, $0.count) }
            if count > 0 {
                done += count
            } else if errno != EINTR {
                throw .failed(path: beside, errno: errno)
            }
        }
        guard fsync(file) == 0 else { throw .failed(path: beside, errno: errno) }
        guard rename(beside, path) == 0 else { throw .failed(path: path, errno: errno) }
        isWhole = true
        try synchronizeFolder(of: path)
    }

    /// Makes a file of another program durable, including its name.
    static func synchronize(_ path: String) throws(StateError) {
        try synchronize(path, O_RDONLY)
        try synchronizeFolder(of: path)
    }

    private static func synchronizeFolder(of path: String) throws(StateError) {
        let folder = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
        try synchronize(folder.isEmpty ? "/" : folder, O_RDONLY | O_DIRECTORY)
    }

    private static func synchronize(_ path: String, _ flags: Int32) throws(StateError) {
        let descriptor = open(path, flags | O_CLOEXEC)
        guard descriptor >= 0 else { throw .failed(path: path, errno: errno) }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw .failed(path: path, errno: errno) }
    }
}

extension StateError {
    static func failed(path: String, errno code: Int32) -> StateError {
        SystemError.isNoRoom(code) ? .noRoom(path: path) : .failed(path: path, reason: String(cString: strerror(code)))
    }
}
