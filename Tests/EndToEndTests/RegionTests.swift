import Foundation
import HTTPFetching
import RankwiseWire
import TestStage
import Testing

/// Regional servers and their root: real programs and sockets.
@Suite struct RegionTests {
    private let folder = NSTemporaryDirectory() + "rankwise-regions-\(UUID().uuidString)"
    private static let name = ExactFederation.name

    private func root() throws -> Program {
        try Program(
            "rankwise-server", ["serve", "--listen", "127.0.0.1:0", "--data", folder + "/root"],
            environment: ["RANKWISE_ADMIN_TOKEN": ExactFederation.admin])
    }

    /// Starts a regional server, which takes the enrolment token from a file.
    private func region(_ name: String, of root: String, enrolment: String, clients: Int = 10) throws -> Program {
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let token = folder + "/\(name).token"
        try enrolment.write(toFile: token, atomically: true, encoding: .utf8)
        return try Program(
            "rankwise-server",
            [
                "serve", "--listen", "127.0.0.1:0", "--data", "\(folder)/\(name)", "--upstream", root,
                "--upstream-name", name, "--upstream-federation", Self.name, "--upstream-token-file", token,
                "--upstream-clients", "\(clients)",
            ], environment: ["RANKWISE_ADMIN_TOKEN": ExactFederation.admin])
    }

    /// A new token of a server's federation, once it has the federation.
    private func token(_ role: String, at server: String) async throws -> String {
        while true {
            let answer = try await ExactFederation.call(
                .post, "\(server)/v1/federations/\(Self.name)/tokens", .bytes(Array(#"{"role": "\#(role)"}"#.utf8)),
                token: ExactFederation.admin)
            if answer.status == 404 { continue }
            #expect(answer.status == 201, "\(answer.text)")
            struct Issued: Decodable { let token: String }
            return try JSONDecoder().decode(Issued.self, from: Data(answer.text.utf8)).token
        }
    }

    /// What one server publishes of the same updates.
    private func alone(_ federation: ExactFederation, _ order: [Int]) async throws -> String {
        let server = try Program(
            "rankwise-server", ["serve", "--listen", "127.0.0.1:0", "--data", folder + "/alone"],
            environment: ["RANKWISE_ADMIN_TOKEN": ExactFederation.admin])
        let url = try server.address()
        let enrolment = try await ExactFederation.create(at: url, ExactFederation.settings(answers: order.count))
        try await federation.register(order, at: url, enrolment: enrolment)
        try await federation.send(order, to: url)
        let digest = try await ExactFederation.published(at: url)
        #expect(server.stop() == 0)
        return digest
    }

    @Test func `two regions and direct clients publish the digest of one server, also when a region is killed`()
        async throws
    {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let federation = try ExactFederation(7)
        let expected = try await alone(federation, [4, 2, 6, 0, 5, 1, 3])
        let root = try root()
        let url = try root.address()
        // Two direct clients and two regions.
        let tokens = try await ExactFederation.create(at: url, ExactFederation.settings(rounds: 2, answers: 4))
        let admission = try await token("region", at: url)
        let north = try region("north", of: url, enrolment: admission)
        let south = try region("south", of: url, enrolment: admission)
        let northern = try north.address()
        let southern = try south.address()
        try await federation.register([0, 1], at: url, enrolment: tokens)
        try await federation.register([2, 3, 4], at: northern, enrolment: try await token("enrolment", at: northern))
        try await federation.register([5, 6], at: southern, enrolment: try await token("enrolment", at: southern))
        try await federation.send([6, 5], to: southern)
        try await federation.send([1], to: url)
        try await federation.send([3, 2, 4], to: northern)
        try await federation.send([0], to: url)
        for server in [url, northern, southern] {
            #expect(try await ExactFederation.published(at: server) == expected)
        }
        let round = try await ExactFederation.call(
            .get, "\(url)/v1/federations/\(Self.name)/rounds/1", token: ExactFederation.admin)
        let body = try WireJSON.decode(RoundBody.self, from: Data(round.text.utf8))
        // The root has never seen the regions' clients.
        #expect(body.updates.map(\.client).sorted() == ["edge-0", "edge-1", "north", "south"])

        // One of two southern clients has answered when the region is killed. It goes on where it was.
        try await federation.send([5], to: southern, round: 2)
        south.crash()
        try await federation.send([0, 1], to: url, round: 2)
        try await federation.send([4, 2, 3], to: northern, round: 2)
        let again = try region("south", of: url, enrolment: "the token is not needed again")
        let anew = try again.address()
        try await federation.send([6], to: anew, round: 2)
        let second = try await ExactFederation.published(round: 2, at: url)
        #expect(second == expected)
        for server in [northern, anew] { #expect(try await ExactFederation.published(round: 2, at: server) == second) }
        for program in [north, again, root] { #expect(program.stop() == 0) }
    }
}
