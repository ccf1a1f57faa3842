import Federation
import Testing

@testable import Coordinator

@Suite struct ReplayTests {
    @Test(arguments: RoundPolicy.Preference.allCases)
    func `every selection follows from the audit log`(_ preference: RoundPolicy.Preference) async throws {
        let server = try await TestServer()
        let federation = try await server.federation(rounds: 6, minimum: 1) {
            $0.policy.minimumClients = 7
            $0.policy.selection = .count(3)
            $0.policy.preference = preference
        }
        var clients: [ClientName] = []
        for index in 0..<7 { clients.append(try await server.register("edge-\(index)", rank: 2, in: federation)) }
        let (names, file) = (clients, try adapterFile(rank: 2, value: 1))
        try await server.aggregating {
            for number in 1...6 {
                let selected = try server.snapshot(federation).round?.participations ?? [:]
                for (index, name) in names.enumerated() where selected[name] != nil {
                    _ = try await server.send(file, of: name, round: number, samples: 1 + 99 * index, in: federation)
                }
                try await server.wait(forRound: number + 1, in: federation)
            }
        }
        let events = try await server.services.federations.events(after: 0, limit: 1000, of: federation).map(\.event)
        var replayed = 0
        for event in events where event.kind == "round.candidates" {
            let draw = try Draw(try #require(event.detail))
            let number = try #require(event.round)
            let drawn = HashedSampler().sample(
                draw.count, of: draw.candidates, by: draw.preference, seed: 3, round: number)
            let round = try await server.services.rounds.round(number, of: federation).round
            #expect(drawn == round.participations.keys.sorted())
            let selected = events.first { $0.round == number && $0.kind == "round.selected" }?.detail
            #expect(selected == "\(drawn.count) clients: " + drawn.map(\.rawValue).joined(separator: ", "))
            replayed += 1
        }
        #expect(replayed == 6)
    }

    @Test func `what draws go by is the same after a restart`() async throws {
        let folder = try TemporaryFolder()
        let server = try await TestServer(folder: folder)
        let federation = try await server.federation(rounds: 6, minimum: 1)
        let one = try await server.register("one", rank: 2, in: federation)
        let two = try await server.register("two", rank: 2, in: federation)
        let file = try adapterFile(rank: 2, value: 1)
        try await server.aggregating {
            _ = try await server.send(file, of: one, round: 1, samples: 50, in: federation)
            _ = try await server.send(file, of: two, round: 1, samples: 60, in: federation)
            try await server.wait(forRound: 2, in: federation)
        }
        _ = try await server.send(file, of: one, round: 2, samples: 70, in: federation)
        let before = try server.snapshot(federation).clients
        #expect(before[one]?.history == Client.History(lastSelected: 2, samples: 70, lastUpdated: 2))
        #expect(before[two]?.history == Client.History(lastSelected: 2, samples: 60, lastUpdated: 1))
        try server.close()
        let again = try await TestServer(folder: folder, clock: server.clock)
        #expect(try again.snapshot(federation).clients.values.map(\.history) == before.values.map(\.history))
    }
}

/// A draw as the audit log has it: "3 by samples, part 1 of 1: a 10, b 20".
private struct Draw {
    let count: Int
    let preference: RoundPolicy.Preference
    let candidates: [Candidate]

    init(_ detail: String) throws {
        let halves = detail.split(separator: ": ")
        let words = halves[0].split { " ,".contains($0) }
        count = try #require(Int(words[0]))
        preference = try #require(RoundPolicy.Preference(rawValue: String(words[2])))
        candidates = try halves[1].split(separator: ", ").map { text in
            let parts = text.split(separator: " ")
            return Candidate(
                client: try ClientName(String(parts[0])), value: try parts.count > 1 ? #require(Int(parts[1])) : 0)
        }
    }
}
