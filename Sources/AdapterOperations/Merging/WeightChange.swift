import AdapterFormat
import LinearAlgebra

/// The changes of an adapter to one tensor of a model, in the order in which PEFT applies them.
struct WeightChange {
    /// A product of factors that is added to a part of the tensor.
    struct Product {
        let module: AdapterFile.Module
        /// The module's outputs that are in this tensor.
        let outputs: Range<Int>
        /// The offset of the matrix in the tensor.
        let offset: Int
        let orientation: LayerOrientation
        let scale: Double
    }

    /// Rows that replace the model's.
    struct Rows {
        let positions: [Int]
        /// (positions × columns)
        let values: TensorView
    }

    /// Replaces the whole tensor, before anything is added.
    var replacement: TensorView?
    var rows: Rows?
    var products: [Product] = []
    /// DoRA's length of each output's weights, applied after the product is added.
    var magnitude: TensorView?
    /// A bias of `lora_B`, added with a scale.
    var addition: (values: TensorView, scale: Double)?

    /// Changes the tensor's numbers, row-major.
    ///
    /// Every product is W + scale · B · A; with a magnitude m, output o becomes m[o] · W'[o] / ‖W'[o]‖₂ (DoRA, Liu et al. 2024,
    /// equation 5, as PEFT merges it).
    func apply(to values: inout [Float]) {
        values.withUnsafeMutableBufferPointer { target in
            if let rows {
                let replaced = rows.values.floats()
                let columns = rows.positions.isEmpty ? 0 : replaced.count / rows.positions.count
                for (place, position) in rows.positions.enumerated() {
                    for column in 0..<columns {
                        target[position * columns + column] = replaced[place * columns + column]
                    }
                }
            }
            for product in products { product.add(to: target) }
            if let magnitude, let product = products.first { product.normalise(target, to: magnitude.floats()) }
            if let addition {
                let scale = Float(addition.scale)
                for (place, value) in addition.values.floats().enumerated() { target[place] += scale * value }
            }
        }
    }
}

extension WeightChange.Product {
    /// Adds the product to the tensor.
    ///
    /// - Precondition: the module has both factors, and the tensor holds the matrix at `offset`.
    fileprivate func add(to tensor: UnsafeMutableBufferPointer<Float>) {
        guard let factors = ModuleFactors(module) else { preconditionFailure("a product of one factor") }
        let (inputs, rank) = (factors.inputs, factors.rank)
        let part = UnsafeMutableBufferPointer(rebasing: tensor[offset..<offset + outputs.count * inputs])
        let b = factors.outputMajorB()
        factors.a.withUnsafeBufferPointer { a in
            b.withUnsafeBufferPointer { b in
                let some = UnsafeBufferPointer(rebasing: b[(outputs.lowerBound * rank)..<(outputs.upperBound * rank)])
                let left = MatrixView(some, rows: outputs.count, columns: rank)
                let right = MatrixView(a, rows: rank, columns: inputs)
                switch orientation {
                case .outputsFirst:
                    let target = MutableMatrixView(part, rows: outputs.count, columns: inputs)
                    MatrixProduct.accumulate(
                        into: target, keep: 1, scale: Float(scale), left, .asGiven, right, .asGiven)
                case .inputsFirst:
                    let target = MutableMatrixView(part, rows: inputs, columns: outputs.count)
                    MatrixProduct.accumulate(
                        into: target, keep: 1, scale: Float(scale), right, .transposed, left, .transposed)
                }
            }
        }
    }

    /// Scales every output's weights to the length given by its magnitude.
    fileprivate func normalise(_ tensor: UnsafeMutableBufferPointer<Float>, to magnitude: [Float]) {
        let count = outputs.count
        let inputs = tensor.count / count
        let (outputStep, inputStep) = orientation == .outputsFirst ? (inputs, 1) : (1, count)
        for output in 0..<count {
            var square = 0.0
            for input in 0..<inputs {
                let value = Double(tensor[output * outputStep + input * inputStep])
                square += value * value
            }
            let factor = Float(Double(magnitude[output]) / square.squareRoot())
            for input in 0..<inputs { tensor[output * outputStep + input * inputStep] *= factor }
        }
    }
}
