import Foundation
import Testing

/// A short run of `scripts/chaos` on the programs that were built with these tests.
@Suite struct ChaosTests {
    /// The script needs nothing but Python's standard library.
    private static var hasPython: Bool {
        let python = Process()
        python.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        python.arguments = ["python3", "-c", "import sys; sys.exit(sys.version_info < (3, 11))"]
        python.standardOutput = FileHandle.nullDevice
        python.standardError = FileHandle.nullDevice
        guard (try? python.run()) != nil else { return false }
        python.waitUntilExit()
        return python.terminationStatus == 0
    }

    @Test(.enabled(if: hasPython))
    func `nothing acknowledged is lost while the server and its clients are killed`() throws {
        let tests = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        let script = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appendingPathComponent("scripts/chaos")
        let chaos = Process()
        chaos.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        chaos.arguments = [
            "python3", script.path, "--kills", "5", "--clients", "4", "--bin",
            URL(fileURLWithPath: tests).deletingLastPathComponent().path,
        ]
        let output = Pipe()
        chaos.standardOutput = output
        chaos.standardError = output
        try chaos.run()
        let said = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        chaos.waitUntilExit()
        #expect(chaos.terminationStatus == 0, "\(said)")
        #expect(said.contains("server killed 5 times"))
    }
}
