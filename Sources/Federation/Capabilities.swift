/// What a client says that it can do.
package struct Capabilities: Sendable, Hashable {
    /// The JSON object as the client sent it, kept for the operator.
    package let text: String
    /// The quantised messages that it understands, by their bits a number.
    package let messageBits: [Int]
    /// The base model that it trains, by its SHA-256 as the client wrote it.
    package let base: String?

    /// - Parameter decode: reads what the server needs of the text.
    package init(text: String, decode: (String) throws -> Claims) {
        self.text = text
        let claims = try? decode(text)
        messageBits = claims?.messageBits ?? []
        base = claims?.base
    }

    /// Of a client that says nothing.
    package static let none = Capabilities(text: "{}") { _ in throw NothingSaid() }

    private struct NothingSaid: Error {}

    /// What of the JSON object the server reads.
    package struct Claims: Decodable {
        let messageBits: [Int]
        let base: String?

        private enum CodingKeys: String, CodingKey {
            case messageBits = "message_bits"
            case base = "base_sha256"
        }

        /// Reads leniently: capabilities are the client's to choose, and what is not understood is not claimed.
        package init(from decoder: any Decoder) throws {
            let values = try decoder.container(keyedBy: CodingKeys.self)
            messageBits = (try? values.decode([Int].self, forKey: .messageBits)) ?? []
            base = try? values.decode(String.self, forKey: .base)
        }
    }
}
