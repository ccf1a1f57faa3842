/// Takes the body of a successful answer piece by piece, on the fetcher's thread.
package protocol FetchSink: Sendable {
    /// The head of a successful answer is here, and its body follows from its first byte.
    /// - Parameter byteCount: the length that the answer announces; nil where it announces none.
    func begin(byteCount: Int64?) throws(FetchError)
    /// The body's next bytes.
    func take(_ bytes: UnsafeRawBufferPointer) throws(FetchError)
}
