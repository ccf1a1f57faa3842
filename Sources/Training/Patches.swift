import LinearAlgebra

/// An image as a matrix of its patches: row (channel, y, x) of the kernel, column (y, x) of the image, zero outside.
enum Patches {
    /// Fills the matrix (channels·kernel² × height·width) from an image (channels × height × width).
    static func gather(
        _ image: UnsafePointer<Float>, of shape: ConvolutionalShape.Convolution, into patches: FloatBlock
    ) {
        guard let target = patches.floats.baseAddress else { return }
        visit(shape) { row, line, from, to, source in
            let start = target + (row * shape.height + line) * shape.width
            guard let source else {
                start.update(repeating: 0, count: shape.width)
                return
            }
            if from > 0 { start.update(repeating: 0, count: from) }
            for column in from..<to { start[column] = image[source + column] }
            if to < shape.width { (start + to).update(repeating: 0, count: shape.width - to) }
        }
    }

    /// Adds the matrix's numbers up where the image has them, in a fixed order.
    static func scatter(
        _ patches: FloatBlock, of shape: ConvolutionalShape.Convolution, into image: UnsafeMutablePointer<Float>
    ) {
        image.update(repeating: 0, count: shape.inputCount)
        guard let numbers = patches.floats.baseAddress else { return }
        visit(shape) { row, line, from, to, target in
            guard let target else { return }
            let start = numbers + (row * shape.height + line) * shape.width
            for column in from..<to { image[target + column] += start[column] }
        }
    }

    /// Visits every line of every row of the matrix: which of its columns lie inside the image, and the place in the image
    /// that its column 0 is, were it inside; nil where none lies inside.
    @inline(__always)
    private static func visit(
        _ shape: ConvolutionalShape.Convolution, _ body: (_ row: Int, _ line: Int, Int, Int, Int?) -> Void
    ) {
        let half = shape.kernel / 2
        var row = 0
        for channel in 0..<shape.channels {
            for down in -half...half {
                for right in -half...half {
                    let (from, to) = (max(0, -right), min(shape.width, shape.width - right))
                    for line in 0..<shape.height {
                        let isInside = (0..<shape.height).contains(line + down) && from < to
                        let place = (channel * shape.height + line + down) * shape.width + right
                        body(row, line, from, to, isInside ? place : nil)
                    }
                    row += 1
                }
            }
        }
    }
}
