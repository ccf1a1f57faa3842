/// The best approximation of a matrix at a given rank: left · right, where right's rows are orthonormal.
package struct TruncatedProduct: Sendable {
    package let rank: Int
    package let outputs: Int
    package let inputs: Int
    /// U·Σ, one component a row: (rank × outputs).
    package private(set) var left: [Float]
    /// Vᵀ, one component a row: (rank × inputs).
    package private(set) var right: [Float]
    /// The largest singular values of the matrix, descending: as many as rank, Q and both dimensions allow.
    package let singularValues: [Double]
    /// How many components the matrix has at this rank: singular values above 1e-7 of the largest. The rows after them
    /// are zero in both factors.
    package private(set) var filled = 0

    /// A product of zeros.
    /// - Parameter count: the number of singular values; those after the given ones are zero.
    init(rank: Int, of stack: ComponentStack, singularValues: [Double], count: Int) {
        (self.rank, outputs, inputs) = (rank, stack.outputs, stack.inputs)
        left = Array(repeating: 0, count: rank * outputs)
        right = Array(repeating: 0, count: rank * inputs)
        self.singularValues = singularValues + Array(repeating: 0, count: count - singularValues.count)
    }

    /// Fills the next component from singular vectors and their value.
    mutating func append(
        left leftVector: UnsafeMutableBufferPointer<Double>, times value: Double,
        right rightVector: UnsafeMutableBufferPointer<Double>
    ) throws(DecompositionError) {
        let sign: Double = Self.largest(of: rightVector) < 0 ? -1 : 1
        for (index, entry) in rightVector.enumerated() { right[filled * inputs + index] = Float(sign * entry) }
        for (index, entry) in leftVector.enumerated() {
            let scaled = Float(sign * value * entry)
            guard scaled.isFinite else { throw .beyondFloat }
            left[filled * outputs + index] = scaled
        }
        filled += 1
    }

    /// The first entry of largest magnitude.
    private static func largest(of vector: UnsafeMutableBufferPointer<Double>) -> Double {
        var largest = 0.0
        for entry in vector where abs(entry) > abs(largest) { largest = entry }
        return largest
    }
}
