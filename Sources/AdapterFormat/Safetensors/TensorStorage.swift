package import Glibc

/// The bytes of one safetensors file, mapped or in memory. They live as long as any view of them.
///
/// A mapping is private and read-only: its pages belong to the page cache and do not count as the process's own memory.
/// Nobody may shorten the file while it is mapped; stored updates and adapters never change. The descriptor stays open
/// beside the mapping, because one pass over the whole file is cheaper by reading than by mapping its pages in.
package final class TensorStorage: Sendable {
    /// Set once, and only read until `deinit` frees it.
    nonisolated(unsafe) private let bytes: UnsafeRawBufferPointer
    private let isMapped: Bool
    /// Negative where there is no file.
    private let descriptor: Int32

    package var count: Int { bytes.count }

    /// Maps a whole file.
    ///
    /// - Parameter keepsDescriptor: whether a pass over the file may read the file instead of its mapping.
    package convenience init(mapping path: String, keepsDescriptor: Bool = true) throws(SystemError) {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .last("open \(path)") }
        defer { close(descriptor) }
        try self.init(mapping: descriptor, keepsDescriptor: keepsDescriptor)
    }

    /// Maps a whole file; the descriptor may be closed afterwards.
    package init(mapping descriptor: Int32, keepsDescriptor: Bool = true) throws(SystemError) {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw .last("fstat") }
        let count = Int(status.st_size)
        isMapped = count > 0
        guard count > 0 else {
            self.descriptor = -1
            bytes = UnsafeRawBufferPointer(start: nil, count: 0)
            return
        }
        guard let base = mmap(nil, count, PROT_READ, MAP_PRIVATE, descriptor, 0), base != MAP_FAILED else {
            throw .last("mmap")
        }
        // If no descriptor is available, the mapping is used.
        self.descriptor = keepsDescriptor ? fcntl(descriptor, F_DUPFD_CLOEXEC, 0) : -1
        bytes = UnsafeRawBufferPointer(start: base, count: count)
    }

    /// Keeps a copy of bytes in memory.
    package init(copying source: UnsafeRawBufferPointer) {
        isMapped = false
        descriptor = -1
        let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: source.count, alignment: 16)
        copy.copyMemory(from: source)
        bytes = UnsafeRawBufferPointer(copy)
    }

    deinit {
        if descriptor >= 0 { close(descriptor) }
        if isMapped {
            munmap(UnsafeMutableRawPointer(mutating: bytes.baseAddress), bytes.count)
        } else {
            bytes.deallocate()
        }
    }

    package func withBytes<Result, Failure: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        defer { withExtendedLifetime(self) {} }
        return try body(bytes)
    }

    /// The state of the mapped file now; fails where the bytes are in memory, or no descriptor was available.
    package func status() throws(SystemError) -> stat {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw .last("fstat") }
        return status
    }

    /// Whether there is a file to read from.
    var isReadable: Bool { descriptor >= 0 }

    /// Copies the bytes from `offset` on: read from the file, or from the mapping if reading fails.
    ///
    /// - Precondition: there are as many bytes as `target` takes.
    func copyBytes(at offset: Int, into target: UnsafeMutableRawBufferPointer) {
        precondition(offset >= 0 && target.count <= count - offset, "bytes outside their storage")
        var done = 0
        while descriptor >= 0, done < target.count {
            let rest = UnsafeMutableRawBufferPointer(rebasing: target[done...])
            let read = pread(descriptor, rest.baseAddress, rest.count, off_t(offset + done))
            if read > 0 {
                done += read
            } else if read == 0 || errno != EINTR {
                break
            }
        }
        let rest = UnsafeMutableRawBufferPointer(rebasing: target[done...])
        rest.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[(offset + done)...].prefix(rest.count)))
    }
}
