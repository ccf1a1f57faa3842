/// A server's answer.
package struct FetchResponse: Sendable, Hashable {
    package var status: Int
    package var fields: [HTTPField]
    /// Empty where the body went into the requested file or sink.
    package var body: [UInt8]
    /// The length of the written file, including the resumed part, or what went into the sink; nil where the body is in
    /// memory.
    package var savedBytes: Int64?

    package init(status: Int, fields: [HTTPField] = [], body: [UInt8] = [], savedBytes: Int64? = nil) {
        self.status = status
        self.fields = fields
        self.body = body
        self.savedBytes = savedBytes
    }
}
