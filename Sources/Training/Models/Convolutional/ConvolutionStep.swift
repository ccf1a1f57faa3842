import LinearAlgebra

/// The forward and backward pass of one convolution, with its ReLU and its 2 × 2 maximum pool, and its gradients.
///
/// A row of the weight is a kernel, and the columns of the patch matrix are the image's patches. Their product is the
/// convolution. There are many more patches than channels, so W + s·B·A is computed once for each batch. With G the
/// gradient of that sum, ∂A = s·Bᵀ·G and ∂B = s·G·Aᵀ. All memory is allocated at initialisation.
final class ConvolutionStep {
    private let shape: ConvolutionalShape.Convolution
    private let layer: AdaptedLayer
    private let bias: FrozenTensor
    /// (outputs × inputs): W + s·B·A, and its gradient.
    private let weight: FloatBlock
    private let weightGradient: FloatBlock
    /// (inputs × height·width) of one example, and its gradient.
    private let patches: FloatBlock
    private let patchesGradient: FloatBlock
    /// (outputs × height·width) of one example: the convolution, or its gradient.
    private let image: FloatBlock
    /// (rows × outputs of the pool): the index of the largest of the four numbers, or 4 where none was above zero.
    private let winners: UnsafeMutableBufferPointer<UInt8>

    private static let closed: UInt8 = 4

    init(_ shape: ConvolutionalShape.Convolution, _ layer: AdaptedLayer, bias: FrozenTensor, rowLimit: Int) {
        self.shape = shape
        self.layer = layer
        self.bias = layer.full.map { FrozenTensor(shape: [layer.outputs], block: $0.bias.values) } ?? bias
        let count = shape.height * shape.width
        weight = FloatBlock(count: layer.outputs * layer.inputs)
        weightGradient = FloatBlock(count: layer.outputs * layer.inputs)
        patches = FloatBlock(count: layer.inputs * count)
        patchesGradient = FloatBlock(count: layer.inputs * count)
        image = FloatBlock(count: layer.outputs * count)
        winners = .allocate(capacity: rowLimit * shape.outputCount)
        winners.initialize(repeating: 0)
    }

    deinit { winners.deallocate() }

    /// - Parameters:
    ///   - input: (rows × channels·height·width); `output` (rows × outputs of the pool).
    func forward(_ input: MatrixView, into output: MutableMatrixView) {
        multiplyOut()
        for row in 0..<input.rows {
            Patches.gather(input.base + row * input.stride, of: shape, into: patches)
            for channel in 0..<shape.outputs {
                image.floats[channel * area..<(channel + 1) * area].update(repeating: bias.floats[channel])
            }
            MatrixProduct.accumulate(
                into: imageMatrix, keep: 1, weightMatrix.readOnly, .asGiven, patchMatrix.readOnly, .asGiven)
            pool(row, into: output.base + row * output.stride)
        }
    }

    /// Computes the gradients of the layer's trained tensors, for the input of the last `forward`.
    ///
    /// - Parameters:
    ///   - gradient: the gradient of the pool's output.
    ///   - inputGradient: receives the gradient of the input; nil where it is not needed.
    func backward(_ input: MatrixView, gradient: MatrixView, into inputGradient: MutableMatrixView?) {
        let isTrained = layer.lora != nil || layer.sparse != nil || layer.full != nil
        layer.full?.bias.gradient.floats.update(repeating: 0)
        for row in 0..<input.rows where isTrained || inputGradient != nil {
            unpool(row, gradient.base + row * gradient.stride)
            if isTrained {
                Patches.gather(input.base + row * input.stride, of: shape, into: patches)
                MatrixProduct.accumulate(
                    into: weightGradient.matrix(rows: shape.outputs, columns: shape.inputs), keep: row == 0 ? 0 : 1,
                    imageMatrix.readOnly, .asGiven, patchMatrix.readOnly, .transposed)
            }
            if let bias = layer.full?.bias {
                for channel in 0..<shape.outputs {
                    for place in channel * area..<(channel + 1) * area {
                        bias.gradient.floats[channel] += image.floats[place]
                    }
                }
            }
            if let target = inputGradient {
                MatrixProduct.accumulate(
                    into: patchesGradient.matrix(rows: shape.inputs, columns: area), weightMatrix.readOnly, .transposed,
                    imageMatrix.readOnly, .asGiven)
                Patches.scatter(patchesGradient, of: shape, into: target.base + row * target.stride)
            }
        }
        let whole = weightGradient.matrix(rows: shape.outputs, columns: shape.inputs).readOnly
        if let lora = layer.lora {
            MatrixProduct.accumulate(
                into: lora.a.gradientMatrix, scale: lora.scale, lora.b.matrix, .asGiven, whole, .asGiven)
            MatrixProduct.accumulate(
                into: lora.b.gradientMatrix, scale: lora.scale, lora.a.matrix, .asGiven, whole, .transposed)
        }
        layer.sparse?.collect(weightGradient: whole)
        if let full = layer.full { _ = full.weight.gradient.floats.update(from: weightGradient.floats) }
    }

    private var area: Int { shape.height * shape.width }
    private var weightMatrix: MutableMatrixView { weight.matrix(rows: shape.outputs, columns: shape.inputs) }
    private var patchMatrix: MutableMatrixView { patches.matrix(rows: shape.inputs, columns: area) }
    private var imageMatrix: MutableMatrixView { image.matrix(rows: shape.outputs, columns: area) }

    private func multiplyOut() {
        _ = weight.floats.update(from: layer.frozen.weight.floats)
        guard let lora = layer.lora else { return }
        MatrixProduct.accumulate(
            into: weightMatrix, keep: 1, scale: lora.scale, lora.b.matrix, .transposed, lora.a.matrix, .asGiven)
    }

    /// Applies ReLU and pool to the current image.
    private func pool(_ row: Int, into output: UnsafeMutablePointer<Float>) {
        guard let image = image.floats.baseAddress, var winner = winners.baseAddress else { return }
        winner += row * shape.outputCount
        var target = output
        for channel in 0..<shape.outputs {
            for line in 0..<shape.pooledHeight {
                let above = image + channel * area + 2 * line * shape.width
                let below = above + shape.width
                for column in 0..<shape.pooledWidth {
                    let (a, b, c, d) = (
                        above[2 * column], above[2 * column + 1], below[2 * column], below[2 * column + 1]
                    )
                    let (top, topPlace): (Float, UInt8) = b > a ? (b, 1) : (a, 0)
                    let (bottom, bottomPlace): (Float, UInt8) = d > c ? (d, 3) : (c, 2)
                    let (best, place) = bottom > top ? (bottom, bottomPlace) : (top, topPlace)
                    target[column] = best > 0 ? best : 0
                    winner[column] = best > 0 ? place : Self.closed
                }
                target += shape.pooledWidth
                winner += shape.pooledWidth
            }
        }
    }

    /// Computes the gradient of the image from that of the pool.
    private func unpool(_ row: Int, _ gradient: UnsafePointer<Float>) {
        image.floats.update(repeating: 0)
        guard let image = image.floats.baseAddress, var winner = UnsafePointer(winners.baseAddress) else { return }
        winner += row * shape.outputCount
        var source = gradient
        for channel in 0..<shape.outputs {
            for line in 0..<shape.pooledHeight {
                let above = image + channel * area + 2 * line * shape.width
                let below = above + shape.width
                for column in 0..<shape.pooledWidth {
                    let (value, place) = (source[column], winner[column])
                    above[2 * column] = place == 0 ? value : 0
                    above[2 * column + 1] = place == 1 ? value : 0
                    below[2 * column] = place == 2 ? value : 0
                    below[2 * column + 1] = place == 3 ? value : 0
                }
                source += shape.pooledWidth
                winner += shape.pooledWidth
            }
        }
    }
}
