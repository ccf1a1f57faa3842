import LinearAlgebra

/// An image as a matrix of its patches: row (channel, y, x) of the kernel, column (y, x) of the image, zero outside.
///
/// A row is its channel's plane, shifted. It is copied or added as a whole; then zeros are written outside the image.
enum Patches {
    /// Fills the matrix (channels·kernel² × height·width) from an image (channels × height × width).
    static func gather(
        _ image: UnsafePointer<Float>, of shape: ConvolutionalShape.Convolution, into patches: FloatBlock
    ) {
        guard let target = patches.floats.baseAddress else { return }
        let area = shape.height * shape.width
        visit(shape) { row, channel, shift in
            let (start, plane) = (target + row * area, image + channel * area)
            guard let inside = shift.inside(area) else {
                start.update(repeating: 0, count: area)
                return
            }
            start.update(repeating: 0, count: inside.lowerBound)
            (start + inside.lowerBound).update(from: plane + inside.lowerBound + shift.distance, count: inside.count)
            (start + inside.upperBound).update(repeating: 0, count: area - inside.upperBound)
            clear(start, of: shape, shift)
        }
    }

    /// Adds the matrix's numbers to the image, in a fixed order. Numbers outside the image are left out.
    static func scatter(
        _ patches: FloatBlock, of shape: ConvolutionalShape.Convolution, into image: UnsafeMutablePointer<Float>
    ) {
        image.update(repeating: 0, count: shape.inputCount)
        guard let numbers = patches.floats.baseAddress else { return }
        let area = shape.height * shape.width
        visit(shape) { row, channel, shift in
            guard let inside = shift.inside(area) else { return }
            clear(numbers + row * area, of: shape, shift)
            let source = numbers + row * area + inside.lowerBound
            let target = image + channel * area + inside.lowerBound + shift.distance
            RowArithmetic.add(source, to: target, count: inside.count)
        }
    }

    /// The shift of a matrix row against the image.
    private struct Shift {
        let right: Int
        /// The shift down and right, as an offset in the plane.
        let distance: Int

        /// The part of the row that is inside a plane of `area` numbers. A horizontal shift wraps lines around; `clear`
        /// sets these numbers to zero.
        func inside(_ area: Int) -> Range<Int>? {
            abs(distance) < area ? max(0, -distance)..<min(area, area - distance) : nil
        }
    }

    /// Sets numbers to zero that are left or right of the image.
    @inline(__always)
    private static func clear(
        _ row: UnsafeMutablePointer<Float>, of shape: ConvolutionalShape.Convolution, _ shift: Shift
    ) {
        let outside =
            shift.right < 0
            ? 0..<min(-shift.right, shape.width) : max(shape.width - shift.right, 0)..<shape.width
        for line in 0..<shape.height {
            for column in outside { row[line * shape.width + column] = 0 }
        }
    }

    /// Calls the body for every row of the matrix.
    @inline(__always)
    private static func visit(
        _ shape: ConvolutionalShape.Convolution, _ body: (_ row: Int, _ channel: Int, Shift) -> Void
    ) {
        let half = shape.kernel / 2
        var row = 0
        for channel in 0..<shape.channels {
            for down in -half...half {
                for right in -half...half {
                    body(row, channel, Shift(right: right, distance: down * shape.width + right))
                    row += 1
                }
            }
        }
    }
}
