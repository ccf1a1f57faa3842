import AdapterFormat
import Foundation
import HTTPFetching
import RankwiseWire
import Testing

/// Messages of few bits, up and down.
@Suite struct MessageTests {
    private static let path = TrainedFederation.path

    @Test(arguments: [8, 4])
    func `a client that reads quantised messages gets and sends them`(_ bits: Int) async throws {
        let federation = try await TrainedFederation(
            strategy: #"{"name": "rbla"}"#, adapter: #", "message_bits": \#(bits)"#, ranks: ["a": 4, "bc": 4])
        #expect(
            try await federation.register("a", rank: 4, capabilities: #"{"message_bits": [8, 4], "gpu": false}"#)
                == 200)
        let plan = try await federation.plan(of: "a")
        #expect(plan.messageBits == bits)
        #expect(try await federation.plan(of: "bc").messageBits == nil)
        let href = try #require(plan.adapter).href
        let plain = try await federation.adapter(href)
        let message = try await federation.reader.call(.get, href + "&bits=\(bits)")
        let quantised = try AdapterFile(SafetensorsFile(bytes: message.body))
        for module in plain.modules {
            let exact = try #require(module.a).floats()
            let coarse = try #require(quantised[module: module.name]?.a)
            #expect(coarse.messageBits?.rawValue == bits)
            // A row's numbers lie within ±1/√inputs, so half a step is at most this.
            let step = 2 / Float(exact.count / module.rank).squareRoot() / Float((1 << bits) - 1)
            for (exact, coarse) in zip(exact, coarse.floats()) { #expect(abs(exact - coarse) <= 0.51 * step) }
        }
        let file = federation.folder + "/message"
        try Data(message.body).write(to: URL(fileURLWithPath: file))
        let sent = try await federation.client("a").call(.put, plan.update + "?samples=1", file: file)
        #expect(sent.status == 201)
        let other = try await federation.plan(of: "bc")
        let update = try await federation.update(of: "bc", other)
        #expect(try await federation.send(update, of: "bc", other).status == 201)
        try await federation.waitForEnd(of: 1)
        // 1 sample and 20.
        let mean = try await federation.adapter(Self.path + "/rounds/1/adapter")
        for module in mean.modules {
            let found = try #require(module.a).floats()
            let coarse = try #require(quantised[module: module.name]?.a).floats()
            let trained = try #require(update.trained[module.name])
            for (found, terms) in zip(found, zip(coarse, trained.a)) {
                #expect(abs(found - (terms.0 + 20 * terms.1) / 21) < 1e-6)
            }
        }
        try await federation.stop()
    }

    @Test func `a federation without messages of few bits refuses them, and odd numbers of bits are none`()
        async throws
    {
        let federation = try await TrainedFederation(strategy: #"{"name": "rbla"}"#, ranks: ["a": 4])
        _ = try await federation.register("a", rank: 4, capabilities: #"{"message_bits": [8]}"#)
        let plan = try await federation.plan(of: "a")
        #expect(plan.messageBits == nil)
        let message = try await federation.reader.call(.get, Self.path + "/adapter?bits=8")
        let file = federation.folder + "/message"
        try Data(message.body).write(to: URL(fileURLWithPath: file))
        let client = try federation.client("a")
        let refused = try await client.call(.put, plan.update + "?samples=1", file: file)
        let problem = try WireJSON.decode(Problem.self, from: Data(refused.body))
        #expect(refused.status == 422 && problem.code == "update.dtype" && problem.tensor == "fc1.lora_A.weight")
        for bits in ["5", "16"] {
            #expect(try await client.refusal(.get, Self.path + "/adapter?bits=" + bits) == "400 adapter.bits")
        }
        #expect(try await client.refusal(.get, Self.path + "/adapter?bits=x") == "400 request.argument")
        try await federation.stop()
    }
}
