import LinearAlgebra
import Testing

/// Products by matrices as they lie, and transposes, on the vectors of this processor and without.
@Suite struct DirectProductTests {
    private static let ways = SmallMatrixProduct.isAvailable ? [false, true] : [false]

    private static func drawn(_ rows: Int, _ columns: Int, stride: Int, _ name: String) -> FloatBlock {
        var generator = SeededGenerator(seed: 7, stream: name)
        let block = FloatBlock(count: rows * stride)
        for index in block.floats.indices { block.floats[index] = generator.uniform(within: 1) }
        return block
    }

    private static func gaps(_ block: FloatBlock, columns: Int, stride: Int) -> [Float] {
        block.floats.indices.filter { $0 % stride >= columns }.map { block.floats[$0] }
    }

    // Vectors have 16 columns and go by four at a time; tiles have six rows or twelve.
    @Test(
        arguments: [(1, 1, 1), (6, 64, 3), (11, 129, 32), (25, 17, 40), (13, 48, 9), (92, 92, 32), (12, 80, 200)], ways)
    func `a product is that of the plain sums`(shape: (rows: Int, columns: Int, depth: Int), isDirect: Bool) {
        let (rows, columns, depth) = shape
        let (leftStride, rightStride, stride) = (depth + 3, columns + 2, columns + 5)
        let left = Self.drawn(rows, depth, stride: leftStride, "left")
        let right = Self.drawn(depth, columns, stride: rightStride, "right")
        for isAdded in [false, true] {
            let output = Self.drawn(rows, columns, stride: stride, "output")
            let before = Self.drawn(rows, columns, stride: stride, "output")
            SmallMatrixProduct.multiply(
                MatrixView(.init(left.floats), rows: rows, columns: depth, stride: leftStride),
                MatrixView(.init(right.floats), rows: depth, columns: columns, stride: rightStride),
                into: MutableMatrixView(output.floats, rows: rows, columns: columns, stride: stride), isAdded: isAdded,
                isDirect: isDirect)
            for row in 0..<rows {
                for column in 0..<columns {
                    var sum = isAdded ? Double(before.floats[row * stride + column]) : 0
                    for place in 0..<depth {
                        sum +=
                            Double(left.floats[row * leftStride + place])
                            * Double(right.floats[place * rightStride + column])
                    }
                    #expect(abs(Double(output.floats[row * stride + column]) - sum) < 2e-5)
                }
            }
            #expect(
                Self.gaps(output, columns: columns, stride: stride)
                    == Self.gaps(before, columns: columns, stride: stride))
        }
    }

    @Test(arguments: [(1, 1), (16, 16), (17, 15), (5, 40), (33, 70)], ways)
    func `a transpose has every number in its place`(shape: (rows: Int, columns: Int), isDirect: Bool) {
        let (rows, columns) = shape
        let (sourceStride, stride) = (columns + 3, rows + 2)
        let source = Self.drawn(rows, columns, stride: sourceStride, "source")
        let target = Self.drawn(columns, rows, stride: stride, "target")
        let before = Self.drawn(columns, rows, stride: stride, "target")
        SmallMatrixProduct.transpose(
            MatrixView(.init(source.floats), rows: rows, columns: columns, stride: sourceStride),
            into: MutableMatrixView(target.floats, rows: columns, columns: rows, stride: stride), isDirect: isDirect)
        for row in 0..<rows {
            for column in 0..<columns {
                #expect(target.floats[column * stride + row] == source.floats[row * sourceStride + column])
            }
        }
        #expect(Self.gaps(target, columns: rows, stride: stride) == Self.gaps(before, columns: rows, stride: stride))
    }
}
