import Foundation
import TestStage
import Testing

/// What the built programs answer to the shell.
@Suite(.ownThread) struct ExitCodeTests {
    private func join(_ url: String, _ arguments: [String] = [], token: String = "t") throws -> Int32 {
        let folder = NSTemporaryDirectory() + "rankwise-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        try "1,2,0\n3,4,1\n".write(toFile: folder + "/data.csv", atomically: true, encoding: .utf8)
        return try Program(
            "rankwise-client",
            [
                "join", url, "--federation", "f", "--name", "edge", "--rank", "1", "--data", folder + "/data.csv",
                "--state", folder + "/state", "--give-up-after", "1",
            ] + arguments,
            environment: ["RANKWISE_TOKEN": token]
        ).exitStatus()
    }

    @Test func `a wrong command line is 2`() throws {
        #expect(try Program("rankwise-client", ["join"]).exitStatus() == 2)
        #expect(try join("http://127.0.0.1:1", ["--colour", "red"]) == 2)
        #expect(try join("127.0.0.1") == 2)
    }

    @Test func `a server that refuses is 3, and one out of reach 4`() throws {
        let folder = NSTemporaryDirectory() + "rankwise-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let server = try Program("rankwise-server", ["serve", "--listen", "127.0.0.1:0", "--data", folder])
        let url = try #require(server.firstLine().split(separator: " ").last.map(String.init))
        #expect(try join(url) == 3)
        #expect(server.stop() == 0)
        // The server's own port may be another test's by now; nobody serves port 1.
        #expect(try join("http://127.0.0.1:1") == 4)
    }

    @Test func `no flag takes a token, and the folder that holds the admin's is closed to others`() throws {
        #expect(try join("http://127.0.0.1:1", ["--token", "t"]) == 2)
        #expect(try Program("rankwise-server", ["serve", "--admin-token", "t"]).exitStatus() != 0)
        let folder = NSTemporaryDirectory() + "rankwise-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let server = try Program("rankwise-server", ["serve", "--listen", "127.0.0.1:0", "--data", folder])
        #expect(server.firstLine().hasPrefix("listening on "))
        for (path, mode) in [(folder, 0o700), (folder + "/admin.token", 0o600)] {
            let attributes = try FileManager.default.attributesOfItem(atPath: path)
            #expect(attributes[.posixPermissions] as? Int == mode)
        }
        #expect(server.stop() == 0)
    }

    @Test func `versions and checks answer 0, and a document that cannot be read does not`() throws {
        #expect(try Program("rankwise-server", ["--version"]).exitStatus() == 0)
        #expect(try Program("rankwise-client", ["--version"]).exitStatus() == 0)
        #expect(try Program("rankwise-server", ["check-config", "/nowhere.yaml"]).exitStatus() != 0)
    }
}
