import LinearAlgebra

/// The ReLU between two layers, and the gradient through it.
enum Rectifier {
    /// Negative numbers become zero.
    static func apply(to output: MutableMatrixView) {
        for row in 0..<output.rows {
            let values = output.base + row * output.stride
            for column in 0..<output.columns { values[column] = values[column] > 0 ? values[column] : 0 }
        }
    }

    /// No gradient passes where the ReLU gave zero.
    static func close(_ gradient: MutableMatrixView, where output: MatrixView) {
        for row in 0..<gradient.rows {
            let values = gradient.base + row * gradient.stride
            let outputs = output.base + row * output.stride
            for column in 0..<gradient.columns { values[column] = outputs[column] > 0 ? values[column] : 0 }
        }
    }
}
