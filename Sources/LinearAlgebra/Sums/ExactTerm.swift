/// One matrix of an exact sum, decoded while it is added.
package struct ExactTerm {
    /// Row-major.
    package let bytes: UnsafeRawBufferPointer
    /// Reads parts of the bytes, in place of `bytes`.
    package let fetch: WeightedMatrix.Fetch?
    package let storage: StoredReal
    /// For a quantised matrix; nil for real numbers.
    package let channels: WeightedMatrix.Channels?
    package let rows: Int
    package let columns: Int
    /// What every number is multiplied by.
    package let factor: Double

    /// - Precondition: the bytes are those of (rows × columns), and quantised numbers, and only they, have a channel a row.
    package init(
        bytes: UnsafeRawBufferPointer, fetch: WeightedMatrix.Fetch? = nil, storage: StoredReal,
        channels: WeightedMatrix.Channels? = nil, rows: Int, columns: Int, factor: Double
    ) {
        self.bytes = bytes
        self.fetch = fetch
        self.storage = storage
        self.channels = channels
        self.rows = rows
        self.columns = columns
        self.factor = factor
        WeightedMatrix(bytes: bytes, storage: storage, channels: channels, coefficients: [])
            .check(rows: rows, columns: columns)
    }
}
