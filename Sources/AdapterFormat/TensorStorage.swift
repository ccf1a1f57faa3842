import Glibc

/// The bytes of one safetensors file, mapped or in memory, alive as long as any view of them.
///
/// A mapping is private and read-only: its pages belong to the page cache and count towards no process's own memory.
/// The file must not be shortened while it is mapped; stored updates and adapters never change.
package final class TensorStorage: Sendable {
    /// Set once and only read until `deinit` gives it back.
    nonisolated(unsafe) private let bytes: UnsafeRawBufferPointer
    private let isMapped: Bool

    package var count: Int { bytes.count }

    /// Maps a whole file.
    package convenience init(mapping path: String) throws(SystemError) {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .last("open \(path)") }
        defer { close(descriptor) }
        try self.init(mapping: descriptor)
    }

    /// Maps a whole file; the descriptor may be closed afterwards.
    package init(mapping descriptor: Int32) throws(SystemError) {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw .last("fstat") }
        let count = Int(status.st_size)
        isMapped = count > 0
        guard count > 0 else {
            bytes = UnsafeRawBufferPointer(start: nil, count: 0)
            return
        }
        guard let base = mmap(nil, count, PROT_READ, MAP_PRIVATE, descriptor, 0), base != MAP_FAILED else {
            throw .last("mmap")
        }
        bytes = UnsafeRawBufferPointer(start: base, count: count)
    }

    /// Keeps a copy of bytes that are in memory already.
    package init(copying source: UnsafeRawBufferPointer) {
        isMapped = false
        let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: source.count, alignment: 16)
        copy.copyMemory(from: source)
        bytes = UnsafeRawBufferPointer(copy)
    }

    deinit {
        if isMapped {
            munmap(UnsafeMutableRawPointer(mutating: bytes.baseAddress), bytes.count)
        } else {
            bytes.deallocate()
        }
    }

    func withBytes<Result, Failure: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        defer { withExtendedLifetime(self) {} }
        return try body(bytes)
    }
}
