import Testing

@testable import LinearAlgebra

@Suite struct `Tridiagonal matrices` {
    /// Divide and conquer stands in where relatively robust representations give up, which no known matrix makes them do.
    @Test(arguments: [1, 2, 3, 40], [1, 5])
    func `both methods find the same eigenvectors`(size: Int, wanted: Int) throws {
        var generator = SeededGenerator(seed: 3, stream: "tridiagonal")
        let matrix = Tridiagonal(
            diagonal: (0..<size).map { _ in generator.normal() },
            offDiagonal: (0..<size).map { _ in generator.normal() })
        let count = min(size, wanted)
        for pairs in [try matrix.largest(count), try matrix.largestByDivideAndConquer(count)] {
            #expect(pairs.values == pairs.values.sorted(by: >))
            for (index, value) in pairs.values.enumerated() {
                let vector = Array(pairs.vectors.column(index))
                #expect(abs(dot(vector, vector) - 1) <= 1e-14)
                for row in 0..<size {
                    let before = row > 0 ? matrix.offDiagonal[row - 1] * vector[row - 1] : 0
                    let after = row + 1 < size ? matrix.offDiagonal[row] * vector[row + 1] : 0
                    #expect(abs(before + matrix.diagonal[row] * vector[row] + after - value * vector[row]) <= 1e-13)
                }
            }
        }
        #expect(
            zip(try matrix.largest(count).values, try matrix.largestByDivideAndConquer(count).values)
                .allSatisfy { abs($0 - $1) <= 1e-13 })
    }
}
