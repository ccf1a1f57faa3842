/// The ReLU between two layers, and the gradient through it.
package enum ReLU {
    /// Negative numbers become zero.
    package static func apply(to output: MutableMatrixView) {
        for row in 0..<output.rows { keep(output.base + row * output.stride, where: nil, count: output.columns) }
    }

    /// No gradient passes where the ReLU gave zero.
    package static func propagate(_ gradient: MutableMatrixView, where output: MatrixView) {
        for row in 0..<gradient.rows {
            keep(
                gradient.base + row * gradient.stride, where: output.base + row * output.stride,
                count: gradient.columns)
        }
    }

    /// Leaves zero where `outputs`, or else the values themselves, are not above zero.
    @inline(__always)
    private static func keep(
        _ values: UnsafeMutablePointer<Float>, where outputs: UnsafePointer<Float>?, count: Int
    ) {
        let outputs = outputs ?? UnsafePointer(values)
        let whole = count - count % FloatVector.scalarCount
        for index in stride(from: 0, to: whole, by: FloatVector.scalarCount) {
            let isAbove = FloatVector.load(outputs + index) .> 0
            let kept = FloatVector(repeating: 0).replacing(with: FloatVector.load(values + index), where: isAbove)
            FloatVector.store(kept, to: values + index)
        }
        for index in whole..<count { values[index] = outputs[index] > 0 ? values[index] : 0 }
    }
}
