import LinearAlgebra
import Testing

@testable import Training

@Suite struct PatchesTests {
    struct Sides: Sendable {
        let channels: Int
        let height: Int
        let width: Int
        let kernel: Int
    }

    private static let sides = [
        Sides(channels: 1, height: 6, width: 5, kernel: 3), Sides(channels: 2, height: 3, width: 4, kernel: 5),
        Sides(channels: 2, height: 2, width: 3, kernel: 7), Sides(channels: 1, height: 2, width: 2, kernel: 15),
        Sides(channels: 3, height: 4, width: 9, kernel: 1),
    ]

    /// The places of the patches and of the image that belong together: (row · area + column, place of the image).
    private static func pairs(_ sides: Sides) -> [(patch: Int, image: Int)] {
        let (half, area) = (sides.kernel / 2, sides.height * sides.width)
        var pairs: [(patch: Int, image: Int)] = []
        for row in 0..<sides.channels * sides.kernel * sides.kernel {
            let (channel, place) = row.quotientAndRemainder(dividingBy: sides.kernel * sides.kernel)
            let (down, right) = place.quotientAndRemainder(dividingBy: sides.kernel)
            for y in 0..<sides.height {
                for x in 0..<sides.width {
                    let (line, column) = (y + down - half, x + right - half)
                    guard (0..<sides.height).contains(line), (0..<sides.width).contains(column) else { continue }
                    pairs.append((row * area + y * sides.width + x, channel * area + line * sides.width + column))
                }
            }
        }
        return pairs
    }

    @Test(arguments: sides)
    func `patches hold the image where the kernel lies, and give their numbers back to it`(sides: Sides) {
        let shape = ConvolutionalShape.Convolution(
            name: "conv1", channels: sides.channels, height: sides.height, width: sides.width, outputs: 1,
            kernel: sides.kernel)
        let count = shape.inputs * sides.height * sides.width
        let image = (0..<shape.inputCount).map { Float($0 + 1) }
        let patches = FloatBlock(count: count)
        patches.floats.update(repeating: -1)
        image.withUnsafeBufferPointer { image in
            guard let base = image.baseAddress else { return }
            Patches.gather(base, of: shape, into: patches)
        }
        let pairs = Self.pairs(sides)
        var expected = [Float](repeating: 0, count: count)
        for pair in pairs { expected[pair.patch] = image[pair.image] }
        #expect(Array(patches.floats) == expected)

        let numbers = (0..<count).map { Float($0 % 17) }
        _ = patches.floats.update(from: numbers)
        let sums = FloatBlock(count: shape.inputCount)
        sums.floats.update(repeating: 100)
        if let target = sums.floats.baseAddress { Patches.scatter(patches, of: shape, into: target) }
        var expectedSums = [Float](repeating: 0, count: shape.inputCount)
        for pair in pairs { expectedSums[pair.image] += numbers[pair.patch] }
        #expect(Array(sums.floats) == expectedSums)
    }
}
