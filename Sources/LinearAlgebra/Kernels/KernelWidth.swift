import CVectors

/// How wide the vectors are that a kernel works on.
package struct KernelWidth: Sendable, Hashable {
    let storage: rows_width

    package static let widest = KernelWidth(storage: rows_widest())
    /// Those of this processor, the widest last.
    package static let available = [rows_oldest, rows_avx2, rows_avx512]
        .filter { $0.rawValue <= rows_widest().rawValue }.map(KernelWidth.init(storage:))
}
