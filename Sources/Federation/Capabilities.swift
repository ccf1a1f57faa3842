/// The capabilities that a client claims.
package struct Capabilities: Sendable, Hashable {
    /// The JSON object as the client sent it, kept for the operator.
    package let text: String
    /// The widths of quantised messages that it can read, in bits per number.
    package let messageBits: [Int]
    /// The SHA-256 of the base model that it trains, as the client wrote it.
    package let base: String?
    /// nil for a client that sends the update of one machine.
    package let region: Region?
    /// Whether it holds examples out, and scores published adapters on them.
    package let evaluates: Bool

    /// A client that sends one partial sum of its own clients (see `FederationSettings.Upstream`).
    package struct Region: Sendable, Hashable, Decodable {
        /// The most clients that it adds up. They count towards the federation's limit of clients.
        package let clients: Int
    }

    /// - Parameter decode: reads the claims from the text.
    package init(text: String, decode: (String) throws -> Claims) {
        self.text = text
        let claims = try? decode(text)
        messageBits = claims?.messageBits ?? []
        base = claims?.base
        region = claims?.region
        evaluates = claims?.evaluates ?? false
    }

    /// The capabilities of a client that claims none.
    package static let none = Capabilities(text: "{}") { _ in throw NothingSaid() }

    private struct NothingSaid: Error {}

    /// The part of the JSON object that the server reads.
    package struct Claims: Decodable {
        let messageBits: [Int]
        let base: String?
        let region: Region?
        let evaluates: Bool

        private enum CodingKeys: String, CodingKey {
            case messageBits = "message_bits"
            case base = "base_sha256"
            case region
            case evaluates = "evaluate"
        }

        /// Reads leniently: the client chooses its capabilities, and a value that is not understood counts as not
        /// claimed. A region that is not understood has no clients, and is refused when it registers.
        package init(from decoder: any Decoder) throws {
            let values = try decoder.container(keyedBy: CodingKeys.self)
            messageBits = (try? values.decode([Int].self, forKey: .messageBits)) ?? []
            base = try? values.decode(String.self, forKey: .base)
            evaluates = (try? values.decode(Bool.self, forKey: .evaluates)) ?? false
            region =
                values.contains(.region)
                ? (try? values.decode(Region.self, forKey: .region)) ?? Region(clients: 0) : nil
        }
    }
}
