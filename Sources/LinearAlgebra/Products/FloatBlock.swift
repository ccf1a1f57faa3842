/// Floats on the heap at a fixed address, so that kernels need not allocate; it frees its memory.
package final class FloatBlock {
    package let floats: UnsafeMutableBufferPointer<Float>

    /// Allocates `count` zeros, aligned for the widest vector registers.
    package init(count: Int) {
        let bytes = UnsafeMutableRawBufferPointer.allocate(
            byteCount: max(count, 1) * MemoryLayout<Float>.stride, alignment: 64)
        floats = UnsafeMutableBufferPointer(rebasing: bytes.bindMemory(to: Float.self).prefix(count))
        floats.initialize(repeating: 0)
    }

    deinit { UnsafeMutableRawPointer(mutating: floats.baseAddress)?.deallocate() }

    /// The `count` floats from `offset` on, as a matrix of rows × columns.
    package func matrix(at offset: Int = 0, rows: Int, columns: Int) -> MutableMatrixView {
        MutableMatrixView(.init(rebasing: floats[offset...]), rows: rows, columns: columns)
    }
}
