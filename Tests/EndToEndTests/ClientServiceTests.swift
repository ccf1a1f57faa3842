import Foundation
import HTTPFetching
import RankwiseWire
import TestStage
import Testing

/// The built client as a service: what it links, how it starts and stops, and what it does about rounds that it cannot
/// train.
@Suite(.serialized, .ownThread) struct ClientServiceTests {
    private static let admin = "an-admin-token-of-more-than-32-bytes"

    /// A server with one federation, and clients of it.
    private struct Scene {
        let folder: String
        let server: Program
        let url: String
        let tokens: CreatedFederationBody

        init(rounds: Int, training: String, minimum: Int = 1) async throws {
            folder = NSTemporaryDirectory() + "rankwise-\(UUID().uuidString)"
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            server = try Program(
                "rankwise-server", ["serve", "--listen", "127.0.0.1:0", "--data", folder + "/data"],
                environment: ["RANKWISE_ADMIN_TOKEN": ClientServiceTests.admin])
            url = try #require(server.firstLine().split(separator: " ").last.map(String.init))
            let settings = """
                {"id": "f", "base_model": {"name": "mlp-2-4-2", "seed": 5},
                 "adapter": {"max_rank": 2, "modules": {"fc1": {"in": 2, "out": 4}, "fc2": {"in": 4, "out": 2}}},
                 "strategy": {"name": "rbla"}, "training": \(training), "seed": 6,
                 "round": {"total": \(rounds), "min_clients": \(minimum), "min_updates": 1, "deadline_seconds": 86400,
                           "seen_seconds": 86400}}
                """
            let answer = try await HTTPFetcher().fetch(
                FetchRequest(
                    .post, url + "/v1/federations",
                    fields: [HTTPField("Authorization", "Bearer \(ClientServiceTests.admin)")],
                    body: .bytes(Array(settings.utf8))))
            tokens = try WireJSON.decode(CreatedFederationBody.self, from: Data(answer.body))
        }

        func client(
            _ name: String, _ data: String, _ arguments: [String] = [], errors: Program.Errors = .dropped
        ) throws -> Program {
            let file = folder + "/\(name).csv"
            try data.write(toFile: file, atomically: true, encoding: .utf8)
            return try Program(
                [
                    Program.builtFolder() + "/rankwise-client", "join", url, "--federation", "f", "--name", name,
                    "--rank", "2", "--data", file, "--state", folder + "/state-\(name)",
                ] + arguments,
                environment: ["RANKWISE_TOKEN": tokens.enrolmentToken], errors: errors)
        }

        func round(_ number: Int) async throws -> RoundBody {
            let answer = try await HTTPFetcher().fetch(
                FetchRequest(
                    .get, url + "/v1/federations/f/rounds/\(number)",
                    fields: [HTTPField("Authorization", "Bearer \(tokens.readerToken)")]))
            return try WireJSON.decode(RoundBody.self, from: Data(answer.body))
        }

        func end() {
            #expect(server.stop() == 0)
            try? FileManager.default.removeItem(atPath: folder)
        }
    }

    private static let sound = "1,2,0\n3,4,1\n2,1,0\n"
    /// Features whose gradients no float holds.
    private static let wild = "1e30,-2e30,0\n-3e30,4e30,1\n2e30,1e30,0\n"
    private static let training = #"{"epochs": 1, "batch_size": 1, "learning_rate": 0.01}"#

    @Test func `the client links neither SQLite nor Foundation's networking`() throws {
        let tests = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        let client = URL(fileURLWithPath: tests).deletingLastPathComponent().appendingPathComponent("rankwise-client")
        let binary = try Data(contentsOf: client, options: .alwaysMapped)
        // The names of needed libraries stand in the file as they are.
        #expect(binary.range(of: Data("libcurl.so".utf8)) != nil)
        for unwanted in ["libFoundationNetworking", "libsqlite3", "libFoundationXML", "sqlite3_open"] {
            #expect(binary.range(of: Data(unwanted.utf8)) == nil, "\(unwanted)")
        }
    }

    @Test func `a client whose training diverges declines, and the others' rounds do not wait for it`() async throws {
        let scene = try await Scene(rounds: 3, training: Self.training, minimum: 2)
        let wild = try scene.client("wild", Self.wild)
        let sound = try scene.client("sound", Self.sound)
        // The deadline is a day away: the rounds end because of the declines alone.
        #expect(sound.exitStatus() == 0)
        #expect(wild.exitStatus() == 5)
        for number in 1...3 {
            let round = try await scene.round(number)
            #expect(round.phase == "published")
            #expect(round.updates.map(\.client) == ["sound"])
            let decline = try #require(round.decisions.first { $0.kind == "client.declined" })
            #expect(decline.client == "wild" && decline.reason?.contains("not finite") == true)
        }
        scene.end()
    }

    @Test func `a client that has ended for good keeps no later round waiting`() async throws {
        let scene = try await Scene(rounds: 6, training: Self.training, minimum: 3)
        let wild = try scene.client("wild", Self.wild)
        // It finds out before it knows of a round that its data do not fit the model.
        let misfit = try scene.client("misfit", "1,2,3,0\n3,4,5,1\n")
        #expect(misfit.exitStatus() == 5)
        let sound = try scene.client("sound", Self.sound)
        #expect(wild.exitStatus() == 5)
        // The deadline is a day away, and they count as seen for as long.
        #expect(sound.exitStatus() == 0)
        for number in 1...6 {
            let round = try await scene.round(number)
            #expect(round.phase == "published" && round.updates.map(\.client) == ["sound"])
            #expect(round.awaited.isEmpty)
        }
        scene.end()
    }

    /// A client that trains until it is stopped.
    private func trainingClient(_ name: String, in scene: Scene) throws -> Program {
        let (begun, never) = (scene.folder + "/begun", scene.folder + "/never")
        for pipe in [begun, never] { try #require(mkfifo(pipe, 0o600) == 0) }
        let client = try scene.client(name, Self.sound, ["--trainer", "echo >'\(begun)'; exec cat '\(never)' #"])
        let line = open(begun, O_RDONLY | O_CLOEXEC)
        try #require(line >= 0)
        close(line)
        return client
    }

    @Test func `a client that is stopped while it trains goes on with the round when it starts again`() async throws {
        let scene = try await Scene(rounds: 1, training: Self.training)
        let first = try trainingClient("edge", in: scene)
        #expect(first.stop() == 0)
        let left = try await scene.round(1)
        #expect(left.phase == "collecting" && left.awaited == ["edge"])
        #expect(left.decisions.map(\.kind) == ["round.opened"])
        #expect(try scene.client("edge", Self.sound).exitStatus() == 0)
        #expect(try await scene.round(1).updates.map(\.client) == ["edge"])
        scene.end()
    }

    @Test func `a trainer goes with its client, however that ends`() async throws {
        let scene = try await Scene(rounds: 1, training: Self.training)
        let alive = scene.folder + "/alive"
        try #require(mkfifo(alive, 0o600) == 0)
        // The command and a child of its own hold the pipe open for as long as they live.
        let client = try scene.client("edge", Self.sound, ["--trainer", "exec 9>'\(alive)'; sleep 600 & sleep 600 #"])
        let reader = open(alive, O_RDONLY | O_CLOEXEC)
        try #require(reader >= 0)
        defer { close(reader) }
        var state = pollfd(fd: reader, events: Int16(POLLIN), revents: 0)
        #expect(poll(&state, 1, 100) == 0)
        client.crash()
        try #require(poll(&state, 1, 10_000) == 1)
        var byte: UInt8 = 0
        #expect(read(reader, &byte, 1) == 0)
        scene.end()
    }

    @Test func `a round of many epochs is logged in few lines`() async throws {
        let scene = try await Scene(rounds: 2, training: #"{"epochs": 5000, "learning_rate": 0.0001}"#)
        let client = try scene.client("edge", Self.sound, errors: .merged)
        let lines = client.lines()
        #expect(client.exitStatus() == 0)
        #expect(lines.count { $0.contains(" epoch ") } == 2, "\(lines)")
        #expect(lines.count < 20)
        scene.end()
    }

    @Test func `training here may take no longer than its owner gives it`() async throws {
        let scene = try await Scene(rounds: 1, training: #"{"epochs": 1000000, "learning_rate": 0.0001}"#, minimum: 2)
        let slow = try scene.client("slow", Self.sound, ["--trainer-timeout", "1"])
        let quick = try scene.client("quick", Self.sound, ["--trainer", "exit 75 #"])
        // The only round is extended for want of updates, and both are asked again.
        var reason: String?
        while reason == nil {
            reason = try? await scene.round(1).decisions.first { $0.client == "slow" }?.reason
        }
        #expect(reason?.contains("took longer than 1.0 seconds") == true)
        #expect(slow.stop() == 0 && quick.stop() == 0)
        scene.end()
    }

    @Test func `a command that abstains once is asked again in the next round`() async throws {
        let scene = try await Scene(rounds: 3, training: Self.training, minimum: 2)
        let script = scene.folder + "/train.sh"
        try """
        [ -e '\(scene.folder)/seen' ] || { touch '\(scene.folder)/seen'; exit 75; }
        cp "$1/adapter_model.safetensors" "$2/" && echo '{"samples": 1, "loss": 1, "accuracy": 0}' >"$2/metrics.json"
        """.write(toFile: script, atomically: true, encoding: .utf8)
        let command = try scene.client("command", Self.sound, ["--trainer", "sh '\(script)'"])
        let native = try scene.client("native", Self.sound)
        #expect(command.exitStatus() == 0)
        #expect(native.exitStatus() == 0)
        #expect(try await scene.round(1).updates.map(\.client) == ["native"])
        #expect(try await scene.round(2).updates.map(\.client) == ["command", "native"])
        scene.end()
    }

    @Test func `a second client on one state folder is refused`() async throws {
        let scene = try await Scene(rounds: 1, training: Self.training)
        // The first one trains, and so holds the lock, until it is stopped.
        let first = try trainingClient("edge", in: scene)
        #expect(try scene.client("edge", Self.sound).exitStatus() == 2)
        #expect(first.stop() == 0)
        scene.end()
    }

    @Test(arguments: [SIGTERM, SIGINT])
    func `a signal that comes while the client starts ends it as any other does`(number: Int32) async throws {
        let scene = try await Scene(rounds: 1, training: Self.training, minimum: 2)
        // The token comes through a pipe, so that the start goes no further than this test lets it.
        let token = scene.folder + "/token"
        try #require(mkfifo(token, 0o600) == 0)
        let client = try scene.client("edge", Self.sound, ["--token-file", token])
        // A program that has gone makes the write fail, and not the tests end.
        signal(SIGPIPE, SIG_IGN)
        let pipe = open(token, O_WRONLY | O_CLOEXEC)
        try #require(pipe >= 0)
        #expect(kill(client.id, number) == 0)
        let text = scene.tokens.enrolmentToken
        #expect(write(pipe, text, text.utf8.count) == text.utf8.count)
        close(pipe)
        #expect(client.exitStatus() == 0)
        scene.end()
    }
}
