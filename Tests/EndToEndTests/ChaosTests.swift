import Foundation
import TestStage
import Testing

/// A short run of `scripts/chaos` on the programs that were built with these tests.
@Suite(.ownThread) struct ChaosTests {
    /// The script needs nothing but Python's standard library.
    private static var hasPython: Bool {
        Program.succeeds(["python3", "-c", "import sys; sys.exit(sys.version_info < (3, 11))"])
    }

    @Test(.enabled(if: hasPython))
    func `nothing acknowledged is lost while the server and its clients are killed`() throws {
        let script = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appendingPathComponent("scripts/chaos")
        let chaos = try Program(
            ["python3", script.path, "--kills", "5", "--clients", "4", "--bin", Program.builtFolder()], errors: .merged)
        let said = chaos.text()
        #expect(chaos.exitStatus() == 0, "\(said)")
        #expect(said.contains("server killed 5 times"))
    }
}
