import Foundation
import Testing

@testable import RankwiseWire

@Suite struct FederationDocumentTests {
    private func document(_ rest: String) throws -> FederationDocument {
        let text = """
            {"id": "x", "base_model": {"name": "m"},
             "adapter": {"max_rank": 4, "modules": {"a": {"in": 1, "out": 1}}}\(rest)}
            """
        return try WireJSON.decodeStrictly(FederationDocument.self, from: Data(text.utf8))
    }

    @Test func `a strategy's parameters stand beside its name and weighting, and come back so`() throws {
        let strategy = #"{"name": "fedex", "residual_rank": 8, "ridge": 0.5, "allow_inexact": true, "x": null}"#
        let read = try document(#", "strategy": "# + strategy)
        #expect(read.strategy.name == "fedex" && read.strategy.weighting == nil)
        let parameters: [String: JSONValue] = [
            "residual_rank": .integer(8), "ridge": .number(0.5), "allow_inexact": .bool(true), "x": .null,
        ]
        #expect(read.strategy.parameters == parameters)
        #expect(try WireJSON.decodeStrictly(FederationDocument.self, from: WireJSON.encode(read)) == read)
    }

    @Test func `what is left out has its default`() throws {
        let read = try document("")
        #expect(read.strategy == .init(name: "rbla", weighting: nil, parameters: [:]))
        #expect(read.server == .init(optimizer: "none", learningRate: 1))
        #expect(read.adapter.messageBits == nil)
        let server = try document(#", "server": {"optimizer": "adam"}"#).server
        #expect(server == .init(optimizer: "adam", learningRate: 1))
    }

    @Test func `a key that the server's part does not have is refused by name`() {
        let error = #expect(throws: WireError.self) { try document(#", "server": {"rate": 1}"#) }
        #expect(error?.path == "server.rate")
    }
}
