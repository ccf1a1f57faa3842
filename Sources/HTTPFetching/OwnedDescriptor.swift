import Glibc

/// A file descriptor that its owner closes.
struct OwnedDescriptor: ~Copyable {
    let number: Int32
    let path: String

    init(opening path: String, _ flags: Int32, mode: mode_t = 0o600) throws(FetchError) {
        let descriptor = open(path, flags | O_CLOEXEC, mode)
        guard descriptor >= 0 else { throw .file(path: path, errno: errno) }
        number = descriptor
        self.path = path
    }

    deinit {
        close(number)
    }

    var length: Int64 {
        get throws(FetchError) {
            var status = stat()
            guard fstat(number, &status) == 0 else { throw .file(path: path, errno: errno) }
            guard status.st_mode & S_IFMT == S_IFREG else {
                throw .file(path: path, reason: "is not a regular file")
            }
            return Int64(status.st_size)
        }
    }

    /// Up to `buffer.count` bytes from `offset`; 0 at the end.
    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws(FetchError) -> Int {
        while true {
            let count = pread(number, buffer.baseAddress, buffer.count, off_t(offset))
            if count >= 0 { return count }
            guard errno == EINTR else { throw .file(path: path, errno: errno) }
        }
    }

    func write(_ bytes: UnsafeRawBufferPointer, at offset: Int64) throws(FetchError) {
        var done = 0
        while done < bytes.count {
            let rest = UnsafeRawBufferPointer(rebasing: bytes[done...])
            let count = pwrite(number, rest.baseAddress, rest.count, off_t(offset) + off_t(done))
            if count > 0 {
                done += count
            } else if errno != EINTR {
                throw .file(path: path, errno: errno)
            }
        }
    }

    func truncate(to length: Int64) throws(FetchError) {
        guard ftruncate(number, off_t(length)) == 0 else { throw .file(path: path, errno: errno) }
    }

    func synchronize() throws(FetchError) {
        guard fsync(number) == 0 else { throw .file(path: path, errno: errno) }
    }
}

extension FetchError {
    static func file(path: String, errno code: Int32) -> FetchError {
        code == ENOSPC || code == EDQUOT
            ? .noRoom(path: path) : .file(path: path, reason: String(cString: strerror(code)))
    }
}
