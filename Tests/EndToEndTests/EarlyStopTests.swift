import Foundation
import TestStage
import Testing

/// The built server, told to stop while it starts.
@Suite struct EarlyStopTests {
    @Test(arguments: [SIGTERM, SIGINT])
    func `a signal that comes before the server serves stops it as any other does`(number: Int32) throws {
        let folder = NSTemporaryDirectory() + "rankwise-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        // The settings come through a pipe, so that the start goes no further than this test lets it.
        let settings = folder + "/server.yaml"
        try #require(mkfifo(settings, 0o600) == 0)
        let server = try Program("rankwise-server", ["serve", "--config", settings, "--data", folder + "/data"])
        // A program that has gone makes the write fail, and not the tests end.
        signal(SIGPIPE, SIG_IGN)
        let pipe = open(settings, O_WRONLY)
        try #require(pipe >= 0)
        #expect(kill(server.id, number) == 0)
        let text = "listen: 127.0.0.1:0\n"
        #expect(write(pipe, text, text.utf8.count) == text.utf8.count)
        close(pipe)
        #expect(server.firstLine().hasPrefix("listening on "))
        #expect(server.exitStatus() == 0)
    }
}
