import Federation
import Foundation

/// What of a client's capabilities the server reads.
struct Capabilities: Decodable {
    /// The quantised messages that it understands.
    let messageBits: [Int]
    /// The base model that it trains, as 64 hexadecimal digits.
    let base: String?

    private enum CodingKeys: String, CodingKey {
        case messageBits = "message_bits"
        case base = "base_sha256"
    }

    /// Reads leniently: capabilities are the client's to choose, and what is not understood is not claimed.
    init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        messageBits = (try? values.decode([Int].self, forKey: .messageBits)) ?? []
        base = try? values.decode(String.self, forKey: .base)
    }

    /// - Parameter json: an object.
    init?(json: String) {
        guard let known = try? JSONDecoder().decode(Capabilities.self, from: Data(json.utf8)) else { return nil }
        self = known
    }
}

extension UpdateService.Claim {
    /// Why the client's base model keeps its updates out; nil where nothing is against it.
    func baseRefusal(in machine: FederationMachine) -> UpdateRefusal? {
        guard let expected = machine.settings.baseModel.sha256, let known = machine.clients[client] else { return nil }
        let found = Capabilities(json: known.capabilities)?.base
        guard let found else {
            return UpdateRefusal(
                code: "update.base",
                detail: "this federation adapts the base model \(expected.hex), and the client has not said which one "
                    + "it trains; register again with base_sha256 among the capabilities")
        }
        guard ContentDigest(hex: found) != expected else { return nil }
        return UpdateRefusal(
            code: "update.base",
            detail: "the client trains the base model \(found); this federation adapts \(expected.hex)")
    }
}
