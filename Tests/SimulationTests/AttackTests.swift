import AdapterFormat
import Federation
import Foundation
import RankwiseWire
import Testing
import TrainingData

@testable import Simulation
@testable import Training

/// What attackers send, and what they do to a federation.
@Suite struct AttackTests {
    private let small: SmallFederation

    init() throws { small = try SmallFederation() }

    /// Three clients of ranks 1, 2 and 3 on one module from 2 to 2. Numbers of the download are 1; client i has trained them to
    /// its own.
    private func send(_ attack: Attack, by attackers: Set<String>, scale: Double = 1) throws -> [FlatUpdate] {
        func file(_ name: String, rank: Int, _ number: (Int) -> Float) throws -> String {
            let path = small.folder + "/" + name
            let ofA = (0..<2 * rank).map { number($0 / 2) }
            let ofB = (0..<2 * rank).map { number($0 % rank) }
            let tensors: [FlatUpdate.Tensor] = [
                .init(name: "base_model.model.fc.lora_A.weight", shape: [rank, 2], rankSide: 0, scale: 1, values: ofA),
                .init(name: "base_model.model.fc.lora_B.weight", shape: [2, rank], rankSide: 1, scale: 1, values: ofB),
                .init(name: "base_model.model.head", shape: [1], rankSide: nil, scale: 1, values: [number(0)]),
            ]
            try FlatUpdate(tensors: tensors).write(to: path)
            return path
        }
        let updates = try (1...3).map { client in
            LocalRound.Update(
                client: try ClientName("client-\(client)"),
                path: try file("update-\(client)", rank: client) { Float(10 * client + $0) },
                scales: ["fc": client == 3 ? scale : 1], outcome: TrainingOutcome(samples: 1, loss: 0, accuracy: 0),
                bytesDown: 0, bytesUp: 0)
        }
        try UpdateAttack(
            Dictionary(uniqueKeysWithValues: attackers.map { ($0, attack) }), seed: 4, round: 2
        ).rewrite(updates) { update in try file("download", rank: Int(update.client.rawValue.suffix(1)) ?? 0) { _ in 1 }
        }
        return try updates.map { try FlatUpdate(path: $0.path, scales: $0.scales) }
    }

    private func numbers(_ update: FlatUpdate) -> [[Float]] { update.tensors.map(\.values) }

    @Test func `a flipped sign goes as far the other way, and a scaled step further`() throws {
        let flipped = try send(Attack(.signFlip, clients: 0.3), by: ["client-2"])
        // 1 − (20 − 1) and 1 − (21 − 1); A by rows, B by columns.
        #expect(numbers(flipped[1]) == [[-18, -18, -19, -19], [-18, -19, -18, -19], [-18]])
        #expect(numbers(flipped[0]) == [[10, 10], [10, 10], [10]])
        let scaled = try send(Attack(.scale, clients: 0.3, factor: 3), by: ["client-1"])
        #expect(numbers(scaled[0]) == [[28, 28], [28, 28], [28]])
    }

    @Test func `free riders send what they got, and copies are an honest client's rows`() throws {
        let riding = try send(Attack(.freeRider, clients: 0.3), by: ["client-3"])
        #expect(numbers(riding[2]).allSatisfy { $0.allSatisfy { $0 == 1 } })
        let copied = try send(Attack(.copy, clients: 0.3), by: ["client-3"], scale: 2)
        // Client 1 has one row; B is half of it at twice the scale. The other rows stay as downloaded.
        #expect(numbers(copied[2]) == [[10, 10, 1, 1, 1, 1], [5, 1, 1, 5, 1, 1], [10]])
        let cut = try send(Attack(.copy, clients: 0.3), by: ["client-1"])
        #expect(numbers(cut[0]) == [[20, 20], [20, 20], [20]])
    }

    @Test func `a little is enough: each number lies z deviations below the mean of those that hold its row`() throws {
        var attack = Attack(.alie, clients: 0.3)
        attack.deviations = 2
        let sent = numbers(try send(attack, by: ["client-3"])[2])
        func low(_ values: [Double]) -> Float {
            let mean = values.reduce(0, +) / Double(values.count)
            let variance = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(values.count)
            return Float(mean - 2 * variance.squareRoot())
        }
        let rows = [low([10, 20, 30]), low([21, 31]), low([32])]
        #expect(sent == [[rows[0], rows[0], rows[1], rows[1], rows[2], rows[2]], rows + rows, [rows[0]]])
    }

    @Test func `noise is as large as its factor says, and the same for a seed`() throws {
        let sent = try send(Attack(.noise, clients: 0.3, factor: 2), by: ["client-3"])
        let again = try send(Attack(.noise, clients: 0.3, factor: 2), by: ["client-3"])
        #expect(numbers(sent[2]) == numbers(again[2]))
        let added = zip(numbers(sent[2])[0], [30, 30, 31, 31, 32, 32] as [Float]).map { $0 - $1 }
        // Twice the root mean square of a step of some 30, of six draws.
        let size = (added.reduce(0) { $0 + $1 * $1 } / 6).squareRoot()
        #expect((10...150).contains(size), "\(size)")
    }

    @Test func `who is absent takes no part`() async throws {
        var document = small.document(clients: 4, rounds: 2)
        document.simulation.attacks = [Attack(.absent, clients: 0.5)]
        let records = try await small.play(document, at: "absent")
        #expect(records.map(\.clients) == [2, 2])
    }

    @Test func `labels are mirrored, and a backdoor opens to its trigger`() async throws {
        var document = small.document(clients: 4, rounds: 6)
        let honest = try await small.play(document, at: "honest")
        #expect(honest.allSatisfy { $0.attackSuccess == nil })
        document.simulation.attacks = [Attack(.labelFlip, clients: 1)]
        let flipped = try await small.play(document, at: "flipped")
        #expect(try #require(flipped.last).testAccuracy < 0.2 && #require(honest.last).testAccuracy > 0.9)
        var backdoor = Attack(.backdoor, clients: 0.5, factor: 2)
        (backdoor.label, backdoor.features, backdoor.value) = (1, [0], 40)
        document.simulation.attacks = [backdoor]
        let opened = try await small.play(document, at: "opened")
        #expect(try #require(opened.last?.attackSuccess) > 0.8)
        #expect(try #require(opened.last).testAccuracy > 0.8, "the backdoor spoils what it hides in")
        let again = try await small.play(document, at: "again")
        #expect(opened.map(\.attackSuccess) == again.map(\.attackSuccess))
        let table = try String(contentsOfFile: small.folder + "/opened/rounds.csv", encoding: .utf8)
        #expect(table.split(separator: "\n").first?.hasSuffix(",attack_success") == true)
        #expect(RoundRecord(csv: table.split(separator: "\n")[6])?.attackSuccess == opened.last?.attackSuccess)
    }

    @Test(
        arguments: [
            (["kind": .string("sign-flip"), "clients": .number(0.01)], "attacks[0].clients", "gives 0 attackers"),
            (["kind": .string("sign-flip"), "clients": .number(1.5)], "attacks[0].clients", "above 0, up to 1"),
            (
                ["kind": .string("label-flip"), "clients": .number(0.5), "factor": .number(2)], "attacks[0].factor",
                "goes not"
            ),
            (
                ["kind": .string("alie"), "clients": .number(0.5), "factor": .number(2)], "attacks[0].factor",
                "goes not"
            ),
            (
                ["kind": .string("backdoor"), "clients": .number(0.5), "features": .array([.integer(9)])], "attacks",
                "feature 9; there are 3"
            ),
            (
                ["kind": .string("backdoor"), "clients": .number(0.5), "share": .number(0)], "attacks[0].share",
                "above 0"
            ),
            (["kind": .string("backdoor"), "clients": .number(0.5), "label": .integer(7)], "attacks", "2 classes"),
        ] as [([String: JSONValue], String, String)])
    func `what no attack can do is refused by its key`(_ attack: [String: JSONValue], key: String, reason: String)
        async throws
    {
        var document = small.document(rounds: 1)
        document.simulation.attacks = [
            try WireJSON.decodeStrictly(Attack.self, from: try WireJSON.encode(attack))
        ]
        let changed = document
        let error = await #expect(throws: SimulationError.self) { try await small.play(changed, at: "run") }
        let text = "\(try #require(error))"
        #expect(text.contains("simulation.\(key)") && text.contains(reason), "\(text)")
    }

    @Test func `unknown keys and kinds, other transports and quantised messages are refused`() async throws {
        for (json, word) in [
            (#"{"kind":"sign-flip","clients":0.5,"strength":2}"#, "strength"),
            (#"{"kind":"melt","clients":0.5}"#, "kind"),
        ] {
            let error = #expect(throws: WireError.self) {
                try WireJSON.decodeStrictly(Attack.self, from: Data(json.utf8))
            }
            #expect("\(String(describing: error))".contains(word))
        }
        var document = small.document(rounds: 1)
        document.simulation.attacks = [Attack(.freeRider, clients: 0.5)]
        let http = document
        await #expect(throws: SimulationError.self) { try await small.play(http, at: "http", transport: .http) }
        document.federation.adapter.messageBits = 8
        let quantised = document
        await #expect(throws: SimulationError.self) { try await small.play(quantised, at: "quantised") }
    }
}
