import AdapterFormat
import AdapterOperations
import ClientAgent
import Foundation
import Synchronization
import TestStage
import Testing
import Training

/// How adapters travel where a plan allows quantised messages.
struct MessageTests {
    private var fixture: AgentFixture

    init() throws { fixture = try AgentFixture() }

    @Test(arguments: MessageBits.allCases)
    mutating func
        `messages are quantised both ways, and the trainer sees plain files`(bits: MessageBits) async throws
    {
        let folder = try TemporaryFolder()
        let plain = try AdapterBytes.file(rank: 2, a: [-1, 0, 0.25, 1], b: [0.5, -0.5])
        let path = try folder.write("plain", plain)
        try AdapterMessage.rewrite(path, to: folder.path("message"), bits: bits)
        let message = try #require(folder.bytes("message"))
        let queries = Mutex<[String?]>([])
        fixture.script { request, state in
            if request.path.hasSuffix("/adapter") {
                queries.withLock { $0.append(request.query["bits"]) }
                return StubCoordinator.Answer(status: 200, body: message)
            }
            guard request.path.hasSuffix("/plan"), state.round <= state.total else { return nil }
            return .json(
                200,
                StubCoordinator.plan("edge-1", state)
                    .replacing(#""penalty":0"#, with: #""penalty":0,"message_bits":\#(bits.rawValue)"#))
        }
        let given = Mutex<[MessageBits?]>([])
        fixture.trainer = CountingTrainer { assignment in
            let file = try? SafetensorsFile(path: assignment.adapter)
            given.withLock { $0 += file?.tensors.map(\.messageBits) ?? [] }
            return Data(plain)
        }
        _ = try await fixture.agent(rounds: 1).run()
        #expect(queries.withLock { $0 } == ["\(bits.rawValue)"])
        #expect(given.withLock { $0 } == [nil, nil])
        #expect(fixture.stub.state.withLock { $0.uploads.map(\.bytes) } == [message])
    }

    @Test func `without message bits nothing is asked for and nothing is rewritten`() async throws {
        let queries = Mutex<[[String: String]]>([])
        fixture.script { request, _ in
            if request.path.contains("/adapter") { queries.withLock { $0.append(request.query) } }
            return nil
        }
        _ = try await fixture.agent(rounds: 1).run()
        // The configuration and the adapter, as the plan's path cuts them.
        #expect(queries.withLock { $0 } == [["rank": "4", "for": "1"], ["rank": "4", "for": "1"]])
        #expect(
            fixture.stub.state.withLock { $0.uploads.map(\.bytes) }
                == [StubCoordinator.adapter(ofRound: "0") + Array(" trained 1".utf8)])
    }
}
