import COpenBLAS

/// A symmetric tridiagonal matrix and its eigenvectors.
struct Tridiagonal {
    var diagonal: [Double]
    /// Beside the diagonal; as long as it, the last one unused.
    var offDiagonal: [Double]

    private var size: Int { diagonal.count }

    /// The `count` largest eigenvalues and their vectors, descending, by relatively robust representations.
    func largest(_ count: Int) throws(DecompositionError) -> (values: [Double], vectors: DoubleMatrix) {
        var (diagonal, offDiagonal) = (diagonal, offDiagonal)
        var values = [Double](repeating: 0, count: size)
        let vectors = DoubleMatrix(rows: size, columns: count)
        var support = [Int32](repeating: 0, count: 2 * count)
        var indices = [Int32](repeating: 0, count: 10 * size)
        var (found, isAccurate): (Int32, Int32) = (0, 1)
        try LAPACK.withWorkspace("dstemr") { work, length in
            LAPACKE_dstemr_work(
                LAPACK_COL_MAJOR, LAPACK.letter("V"), LAPACK.letter("I"), Int32(size), &diagonal, &offDiagonal, 0, 0,
                Int32(size - count + 1),
                Int32(size), &found, &values, vectors.base, vectors.leading, Int32(count), &support, &isAccurate, work,
                length, &indices, length == -1 ? -1 : Int32(indices.count))
        }
        guard found == count else { throw .gaveUp(routine: "dstemr", code: Int(found)) }
        vectors.reverseColumns()
        return (values.prefix(count).reversed(), vectors)
    }

    /// The same by divide and conquer, which computes all eigenvectors.
    func largestByDivideAndConquer(
        _ count: Int
    ) throws(DecompositionError) -> (values: [Double], vectors: DoubleMatrix) {
        var (diagonal, offDiagonal) = (diagonal, offDiagonal)
        let all = DoubleMatrix(rows: size, columns: size)
        var indices = [Int32](repeating: 0, count: 3 + 5 * size)
        try LAPACK.withWorkspace("dstedc") { work, length in
            LAPACKE_dstedc_work(
                LAPACK_COL_MAJOR, LAPACK.letter("I"), Int32(size), &diagonal, &offDiagonal, all.base, all.leading, work,
                length, &indices, length == -1 ? -1 : Int32(indices.count))
        }
        let vectors = DoubleMatrix(rows: size, columns: count)
        vectors.base.update(from: all.base + (size - count) * size, count: count * size)
        vectors.reverseColumns()
        return (diagonal.suffix(count).reversed(), vectors)
    }
}
