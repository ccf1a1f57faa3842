import AdapterFormat
import Federation
import Foundation
import HTTPFetching
import Logging
import RankwiseWire
import SQLiteStore
import Testing

/// What rounds add to the base: asked for singly and as sums, folded, and the same after restarts.
@Suite struct MergeTests {
    private static let path = TrainedFederation.path

    private func merge(_ federation: TrainedFederation, _ query: String) async throws -> Products {
        try Products(try await federation.adapter(Self.path + "/rounds/" + query)) { _ in 1 }
    }

    @Test func `merges are served like adapters`() async throws {
        let federation = try await TrainedFederation(strategy: #"{"name": "flora"}"#, ranks: ["a": 4, "bc": 2])
        try await federation.train()
        try await federation.train()
        let reader = try federation.reader
        let path = Self.path + "/rounds/2/merge?since=0"
        let whole = try await reader.call(.get, path)
        let head = try await reader.call(.head, path)
        #expect(whole.status == 200 && head.status == 200 && head.body.isEmpty)
        let tag = try #require(whole.fields.first { $0.name.lowercased() == "etag" }?.value)
        let known = try await reader.call(.get, path, fields: [HTTPField("If-None-Match", tag)])
        #expect(known.status == 304)
        let part = try await reader.call(.get, path, fields: [HTTPField("Range", "bytes=8-15")])
        #expect(part.status == 206 && part.body == Array(whole.body[8...15]))
        let half = try await reader.call(.get, path + "&dtype=BF16")
        #expect(half.status == 200 && half.body.count < whole.body.count)
        let file = try AdapterFile(SafetensorsFile(bytes: whole.body))
        // Rank 6 a round; two rounds outgrow both modules, whose smaller sides are 5 and 3.
        #expect(file.ranks == ["fc1": 5, "fc2": 3] && file.dense.isEmpty)
        #expect(file.modules.map { $0.bias != nil } == [false, true])
        let client = try federation.client("a")
        #expect(try await client.call(.get, path).status == 200)
        try await federation.stop()
    }

    @Test func `what cannot be asked of merges is refused with its code`() async throws {
        let federation = try await TrainedFederation(strategy: #"{"name": "flora"}"#, ranks: ["a": 4])
        try await federation.train()
        let reader = try federation.reader
        let base = Self.path + "/rounds/"
        #expect(try await reader.refusal(.get, base + "0/merge") == "404 merge.none")
        #expect(try await reader.refusal(.get, base + "1/merge?since=1") == "400 merge.since")
        #expect(try await reader.refusal(.get, base + "0/merge?since=0") == "400 merge.since")
        #expect(try await reader.refusal(.get, base + "1/merge?since=-1") == "400 request.argument")
        #expect(try await reader.refusal(.get, base + "1/merge?rank=2") == "400 request.argument")
        #expect(try await reader.refusal(.get, base + "1/merge?dtype=I8") == "400 adapter.dtype")
        #expect(try await reader.refusal(.get, base + "2/merge") == "404 adapter.none")
        #expect(try await reader.refusal(.get, base + "3/merge") == "404 round.unknown")
        let nobody = try Caller(federation.server, token: nil)
        #expect(try await nobody.refusal(.get, base + "1/merge") == "401 auth.token")
        #expect(try await nobody.refusal(.get, Self.path + "/model") == "401 auth.token")
        try await federation.stop()
    }

    @Test func `old merges are folded into a sum that answers for them, and nothing else of them is kept`()
        async throws
    {
        let federation = try await TrainedFederation(
            strategy: #"{"name": "flora"}"#, rounds: 21, ranks: ["a": 4, "bc": 2])
        var sums = [Products()]
        for number in 1...20 {
            try await federation.train(restarting: number == 19)
            sums.append(sums[number - 1] + (try await merge(federation, "\(number)/merge")))
        }
        let reader = try federation.reader
        // Folding goes on in the background.
        let last = Self.path + "/rounds/20/merge"
        while try await reader.call(.get, last + "?since=3").status != 410 {}
        for query in ["4/merge", "3/merge?since=0", "20/merge?since=1", "3/model", "3/model/adapter_config.json"] {
            #expect(try await reader.refusal(.get, Self.path + "/rounds/" + query) == "410 merge.compacted")
        }
        let refused = try await reader.call(.get, last + "?since=1")
        let problem = try WireJSON.decode(Problem.self, from: Data(refused.body))
        #expect(problem.detail.contains("since=0") && problem.detail.contains("since=4"))
        for since in [4, 5, 19] {
            let expected = sums[20] + -1 * sums[since]
            #expect(try await merge(federation, "20/merge?since=\(since)").distance(to: expected) < 1e-3)
        }
        #expect(try await merge(federation, "20/merge?since=0").distance(to: sums[20]) < 1e-3)
        #expect(try await merge(federation, "4/merge?since=0").distance(to: sums[4]) < 1e-3)
        #expect(try await reader.call(.get, Self.path + "/rounds/4/model").status == 200)
        #expect(try await reader.call(.get, Self.path + "/model").status == 200)
        let sizes = try await [4, 20].asyncMap {
            try await reader.call(.get, Self.path + "/rounds/\($0)/merge?since=0").body.count
        }
        #expect(sizes[0] == sizes[1])
        try await federation.stop()
        try expectOnlyTheSum(through: 4, in: federation.folder)
    }

    /// The store holds one total and no single merge of a folded round.
    private func expectOnlyTheSum(through folded: Int, in folder: String) throws {
        let store = try SQLiteStore(directory: folder, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        let id = try FederationID("digits")
        func rank(_ slot: AdapterSlot, _ round: Int) throws -> Int {
            try store.rowCount(
                of: AdapterTensor(name: "fc1", kind: .a), at: AdapterAddress(federation: id, round: round, slot: slot))
        }
        #expect(try store.merges(of: id).foldedThrough == folded)
        for round in 1...20 {
            #expect(try rank(.merge, round) == (round > folded ? 6 : 0))
            #expect(try rank(.mergeTotal, round) == (round == folded ? 5 : 0))
        }
        try store.close()
    }

    @Test(arguments: [
        (#"{"name": "flora"}"#, ""), (#"{"name": "fedex", "allow_inexact": true}"#, ""),
        (#"{"name": "rbla"}"#, #", "server": {"optimizer": "adam", "learning_rate": 0.1}"#),
        (#"{"name": "fdlora"}"#, ""),
    ])
    func `restarts in the middle of rounds leave adapters, merges and models as they were`(
        _ strategy: String, _ more: String
    ) async throws {
        func run(restarting: Bool) async throws -> [[UInt8]] {
            let federation = try await TrainedFederation(strategy: strategy, more: more, ranks: ["a": 4, "bc": 2])
            for _ in 1...3 { try await federation.train(restarting: restarting) }
            if restarting { try await federation.restart() }
            var files: [[UInt8]] = []
            for path in ["1/adapter", "3/adapter", "2/model", "3/model?rank=2", "2/merge", "3/merge?since=0"] {
                let answer = try await federation.reader.call(.get, Self.path + "/rounds/" + path)
                let hasNone = path.contains("merge") && (strategy.contains("rbla") || strategy.contains("fdlora"))
                #expect(answer.status == (hasNone ? 404 : 200))
                files.append(answer.body)
            }
            try await federation.stop()
            return files
        }
        let steady = try await run(restarting: false)
        let interrupted = try await run(restarting: true)
        #expect(steady == interrupted)
    }
}

extension Sequence where Element: Sendable {
    fileprivate func asyncMap<Value>(_ transform: (Element) async throws -> Value) async rethrows -> [Value] {
        var values: [Value] = []
        for element in self { values.append(try await transform(element)) }
        return values
    }
}
