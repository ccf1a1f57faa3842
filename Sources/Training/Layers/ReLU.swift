import LinearAlgebra

/// The ReLU between two layers, and the gradient through it.
enum ReLU {
    private typealias Vector = VectorMath.Vector

    /// Negative numbers become zero.
    static func apply(to output: MutableMatrixView) {
        for row in 0..<output.rows { close(output.base + row * output.stride, where: nil, count: output.columns) }
    }

    /// No gradient passes where the ReLU gave zero.
    static func close(_ gradient: MutableMatrixView, where output: MatrixView) {
        for row in 0..<gradient.rows {
            close(
                gradient.base + row * gradient.stride, where: output.base + row * output.stride,
                count: gradient.columns)
        }
    }

    /// Leaves zero where `outputs`, or else the values themselves, are not above zero.
    @inline(__always)
    private static func close(
        _ values: UnsafeMutablePointer<Float>, where outputs: UnsafePointer<Float>?, count: Int
    ) {
        let outputs = outputs ?? UnsafePointer(values)
        let whole = count - count % VectorMath.width
        for index in stride(from: 0, to: whole, by: VectorMath.width) {
            let isOpen = VectorMath.load(outputs + index) .> 0
            let kept = Vector(repeating: 0).replacing(with: VectorMath.load(values + index), where: isOpen)
            VectorMath.store(kept, to: values + index)
        }
        for index in whole..<count { values[index] = outputs[index] > 0 ? values[index] : 0 }
    }
}
