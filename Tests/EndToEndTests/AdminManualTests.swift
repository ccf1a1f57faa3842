import Foundation
import RankwiseWire
import TestStage
import Testing

/// What the program says of itself, and what the manual says of it.
@Suite(.ownThread) struct AdminManualTests {
    private struct Help: Decodable {
        let command: Command
    }

    private struct Command: Decodable {
        struct Argument: Decodable {
            let valueName: String
        }

        let commandName: String
        let arguments: [Argument]?
        let subcommands: [Command]?

        /// The commands that do something, with the words before each.
        func leaves(after words: [String] = []) -> [(words: String, command: Command)] {
            let below = (subcommands ?? []).filter { $0.commandName != "help" }
            guard below.isEmpty else { return below.flatMap { $0.leaves(after: words + [$0.commandName]) } }
            return [(words.joined(separator: " "), self)]
        }
    }

    @Test func `every command has --json, and its line in the manual`() throws {
        let text = try Program("rankwise-admin", ["--experimental-dump-help"]).text()
        let commands = try JSONDecoder().decode(Help.self, from: Data(text.utf8)).command.leaves()
        #expect(commands.count == 19)
        let manual = try String(
            contentsOf: URL(fileURLWithPath: #filePath).deletingLastPathComponent()
                .appendingPathComponent("../../docs/admin.md"), encoding: .utf8)
        for (words, command) in commands {
            #expect(command.arguments?.contains { $0.valueName == "json" } == true, "\(words)")
            #expect(manual.contains("`\(words) ") || manual.contains("`\(words)`"), "\(words)")
        }
    }

    @Test func `the completions for bash are a script that bash reads`() throws {
        let folder = try TemporaryFolder()
        let text = try Program("rankwise-admin", ["--generate-completion-script", "bash"]).text()
        #expect(text.contains("--template") && text.contains("download"))
        #expect(Program.succeeds(["bash", "-n", try folder.write("completions", Array(text.utf8))]))
        for shell in ["zsh", "fish"] {
            #expect(try Program("rankwise-admin", ["--generate-completion-script", shell]).exitStatus() == 0)
        }
    }
}
