import Foundation
import HTTPFetching
import RankwiseWire
import TestStage
import Testing

/// Regional servers and their root: real programs and sockets.
@Suite struct RegionTests {
    private let folder = NSTemporaryDirectory() + "rankwise-regions-\(UUID().uuidString)"
    private static let name = ExactFederation.name

    private func root(port: UInt16 = 0) throws -> Program {
        try Program(
            "rankwise-server", ["serve", "--listen", "127.0.0.1:\(port)", "--data", folder + "/root"],
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

    @Test func `a root that is killed finds its region's sum again, and the round goes on`() async throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let federation = try ExactFederation(4)
        let expected = try await alone(federation, [3, 1, 0, 2])
        let port = try ReservedPort()
        var root = try root(port: port.number)
        let url = try root.address()
        let tokens = try await ExactFederation.create(at: url, ExactFederation.settings(answers: 2))
        let north = try region("north", of: url, enrolment: try await token("region", at: url))
        let northern = try north.address()
        try await federation.register([0], at: url, enrolment: tokens)
        try await federation.register([1, 2, 3], at: northern, enrolment: try await token("enrolment", at: northern))
        try await federation.send([2, 1, 3], to: northern)
        // The region's sum has arrived.
        while try await round(1, at: url).received == 0 {}
        root.crash()
        root = try self.root(port: port.number)
        #expect(try root.address() == url)
        try await federation.send([0], to: url)
        #expect(try await ExactFederation.published(at: url) == expected)
        #expect(try await ExactFederation.published(at: northern) == expected)
        #expect(north.stop() == 0 && root.stop() == 0)
    }

    @Test func `a round that the root ends without the region ends here with the root's outcome`() async throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let federation = try ExactFederation(3)
        let root = try root()
        let url = try root.address()
        let settings = ExactFederation.settings(rounds: 3, answers: 2)
            .replacing("\"deadline_seconds\": 3600", with: "\"deadline_seconds\": 1, \"on_missed_quorum\": \"abandon\"")
        let tokens = try await ExactFederation.create(at: url, settings)
        let north = try region("north", of: url, enrolment: try await token("region", at: url))
        let northern = try north.address()
        try await federation.register([0], at: url, enrolment: tokens)
        try await federation.register([1, 2], at: northern, enrolment: try await token("enrolment", at: northern))
        // Nobody answers in round 1: it is abandoned here as at the root.
        let failed = try await ended(1, at: northern)
        #expect(failed.phase == "failed")
        #expect(failed.reason == "the root's round failed: 0 of at least 2 updates arrived by the deadline")
        // In the last round no northern client answers, and the root publishes what its own client has sent.
        _ = try await ExactFederation.call(
            .patch, "\(url)/v1/federations/\(Self.name)",
            .bytes(Array(#"{"round": {"min_updates": 1, "deadline_seconds": 2}}"#.utf8)), token: ExactFederation.admin)
        try await federation.send([0], to: url, round: 3)
        let third = try await ended(3, at: northern)
        #expect(third.phase == "published" && third.updates.isEmpty)
        #expect(try await ended(3, at: url).adapter == third.adapter)
        #expect(north.stop() == 0 && root.stop() == 0)
    }

    private func round(_ number: Int, at server: String) async throws -> RoundBody {
        let answer = try await ExactFederation.call(
            .get, "\(server)/v1/federations/\(Self.name)/rounds/\(number)", token: ExactFederation.admin)
        return try WireJSON.decode(RoundBody.self, from: Data(answer.text.utf8))
    }

    /// A round once it has ended.
    private func ended(_ number: Int, at server: String) async throws -> RoundBody {
        let place = "\(server)/v1/federations/\(Self.name)"
        var query = ""
        while true {
            let answer = try await ExactFederation.call(
                .get, "\(place)/rounds/current\(query)", token: ExactFederation.admin)
            if answer.status == 204 || answer.status == 404 { continue }
            let current = try WireJSON.decode(RoundBody.self, from: Data(answer.text.utf8))
            if current.round > number { return try await round(number, at: server) }
            if current.round == number, ["published", "failed"].contains(current.phase) { return current }
            query = "?after=\(current.revision)&wait=30"
        }
    }
}
