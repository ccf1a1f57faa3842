import AdapterFormat
import Foundation
import HTTPFetching
import RankwiseWire
import Testing

/// Clients of a federation under `sum: exact`, whose updates are the same in every run. Tests send them to different
/// servers in different orders, and compare what is published.
struct ExactFederation {
    static let admin = "an-admin-token-of-more-than-32-bytes"
    static let name = "exact"

    /// A client and what it sends.
    struct Member: Sendable {
        let name: String
        let rank: Int
        let samples: Int
        let token: String
        /// Its adapter's file.
        let file: [UInt8]
    }

    let members: [Member]

    /// - Parameter count: of clients.
    init(_ count: Int) throws {
        members = try (0..<count).map { index in
            let rank = 1 + index % 4
            return Member(
                name: "edge-\(index)", rank: rank, samples: 1 + 37 * index % 91,
                token: String(format: "%064x", index + 1), file: try Self.adapter(rank: rank, seed: UInt64(index + 1)))
        }
    }

    /// Settings for rounds that close when so many have answered.
    static func settings(rounds: Int = 1, answers: Int, clients: Int = 100) -> String {
        """
        {"id": "\(name)", "base_model": {"name": "mlp", "seed": 1}, "adapter": {"max_rank": 4, "modules":
        {"fc1": {"in": 6, "out": 5}, "fc2": {"in": 5, "out": 3}}}, "strategy": {"name": "rbla", "sum": "exact"},
        "round": {"total": \(rounds), "min_clients": \(answers), "min_updates": \(answers), "deadline_seconds": 3600},
        "limits": {"max_clients": \(clients), "max_factor_over_median": null}}
        """
    }

    /// A file of numbers of very different sizes, so that float sums in different orders differ.
    private static func adapter(rank: Int, seed: UInt64) throws -> [UInt8] {
        let shape = try AdapterShape(modules: [
            ModuleShape(name: "fc1", inputs: 6, outputs: 5, maximumRank: rank),
            ModuleShape(name: "fc2", inputs: 5, outputs: 3, maximumRank: rank),
        ])
        var state = seed &* 0x9E37_79B9_7F4A_7C15
        func next() -> Float {
            state ^= state << 13
            state ^= state >> 7
            state ^= state << 17
            let size = Float(sign: .plus, exponent: Int(state % 20) - 10, significand: 1)
            return (Float(state >> 40) / Float(1 << 24) - 0.5) * size
        }
        let path = NSTemporaryDirectory() + "rankwise-exact-\(UUID().uuidString)"
        defer { unlink(path) }
        let descriptor = open(path, O_RDWR | O_CREAT | O_EXCL, 0o600)
        defer { close(descriptor) }
        var writer = try AdapterWriter(shape: shape, descriptor: descriptor)
        for module in shape.modules {
            var factors = ModuleFactors(zeroOf: module, rank: module.maximumRank)
            for index in factors.a.indices { factors.a[index] = next() }
            for index in factors.b.indices { factors.b[index] = next() }
            try writer.take(factors, of: module)
        }
        try writer.finish()
        return Array(try #require(FileManager.default.contents(atPath: path)))
    }

    /// Creates the federation at a server and returns its enrolment token.
    static func create(at server: String, _ settings: String) async throws -> String {
        let created = try await call(.post, server + "/v1/federations", .bytes(Array(settings.utf8)), token: admin)
        #expect(created.status == 201, "\(created.text)")
        return try WireJSON.decode(CreatedFederationBody.self, from: Data(created.text.utf8)).enrolmentToken
    }

    func register(_ indices: some Sequence<Int>, at server: String, enrolment: String) async throws {
        for member in indices.map({ members[$0] }) {
            let answer = try await Self.call(
                .put, "\(server)/v1/federations/\(Self.name)/clients/\(member.name)",
                .bytes(Array(#"{"rank": \#(member.rank), "token": "\#(member.token)"}"#.utf8)), token: enrolment)
            #expect(answer.status == 201, "\(answer.text)")
        }
    }

    /// Sends the updates in this order, each as soon as its round takes it.
    func send(_ indices: some Sequence<Int>, to server: String, round: Int = 1) async throws {
        for member in indices.map({ members[$0] }) {
            let place = "\(server)/v1/federations/\(Self.name)"
            try await Self.waitForPlan(at: place, of: member, round: round)
            let answer = try await Self.call(
                .put, "\(place)/rounds/\(round)/update?samples=\(member.samples)", .bytes(member.file),
                token: member.token)
            #expect(answer.status == 201, "\(answer.text)")
        }
    }

    private static func waitForPlan(at place: String, of member: Member, round: Int) async throws {
        var query = ""
        while true {
            let answer = try await call(.get, "\(place)/plan\(query)", token: member.token)
            if answer.status == 204 { continue }
            let plan = try WireJSON.decode(PlanBody.self, from: Data(answer.text.utf8))
            if plan.round == round, plan.selected, plan.phase == "collecting" { return }
            query = "?after=\(plan.revision)&wait=30"
        }
    }

    /// The digest that a round publishes, once it has.
    static func published(round: Int = 1, at server: String) async throws -> String {
        let place = "\(server)/v1/federations/\(name)"
        var query = ""
        while true {
            let answer = try await call(.get, "\(place)/rounds/current\(query)", token: admin)
            if answer.status == 204 { continue }
            let current = try WireJSON.decode(RoundBody.self, from: Data(answer.text.utf8))
            if current.round > round || current.phase == "published" || current.phase == "failed" {
                let wanted = try await call(.get, "\(place)/rounds/\(round)", token: admin)
                let body = try WireJSON.decode(RoundBody.self, from: Data(wanted.text.utf8))
                if current.round >= round { return try #require(body.adapter?.digest, "\(wanted.text)") }
            }
            query = "?after=\(current.revision)&wait=30"
        }
    }

    static func call(
        _ method: FetchRequest.Method, _ url: String, _ body: FetchRequest.Body = .none, token: String
    ) async throws -> (status: Int, text: String) {
        let response = try await HTTPFetcher().fetch(
            FetchRequest(method, url, fields: [HTTPField("Authorization", "Bearer \(token)")], body: body))
        return (response.status, String(decoding: response.body, as: UTF8.self))
    }
}
