import Foundation
import RankwiseWire
import TestStage
import Testing

/// A server with a folder, and `rankwise-admin` beside it.
final class AdminStage: Sendable {
    static let token = "an-admin-token-of-more-than-32-bytes"
    static let llama = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appendingPathComponent("../AdapterFormatTests/Fixtures/peft/llama_r16").standardized.path

    let folder: TemporaryFolder
    let url: String
    private let server: Program

    /// - Parameter arguments: more arguments of `serve`.
    init(_ arguments: [String] = [], listen: String = "127.0.0.1:0", folder: TemporaryFolder? = nil) throws {
        let place = try folder ?? TemporaryFolder()
        self.folder = place
        server = try Program(
            "rankwise-server", ["serve", "--listen", listen, "--data", place.path("data")] + arguments,
            environment: ["RANKWISE_ADMIN_TOKEN": Self.token])
        url = try #require(server.firstLine().split(separator: " ").last.map(String.init))
    }

    func crash() { server.crash() }
    func stop() -> Int32 { server.stop() }

    /// What a command printed, and how it ended.
    struct Outcome {
        let text: String
        let status: Int32
    }

    /// - Parameter environment: replaces what names the server and the token.
    static func start(
        _ arguments: [String], url: String, environment: [String: String] = [:], errors: Program.Errors = .dropped
    ) throws -> Program {
        try Program(
            [Program.builtFolder() + "/rankwise-admin"] + arguments,
            environment: ["RANKWISE_SERVER": url, "RANKWISE_ADMIN_TOKEN": token].merging(environment) { $1 },
            errors: errors)
    }

    func start(_ arguments: [String]) throws -> Program { try Self.start(arguments, url: url) }

    /// What a command that succeeds prints.
    func admin(_ arguments: String...) throws -> String {
        let program = try start(arguments)
        let text = program.text()
        try #require(program.exitStatus() == 0, "\(arguments): \(text)")
        return text
    }

    /// The one JSON document that a command prints with `--json`.
    func json<Body: Decodable>(_ type: Body.Type, _ arguments: String...) throws -> Body {
        let program = try start(arguments + ["--json"])
        let text = program.text()
        try #require(program.exitStatus() == 0, "\(arguments): \(text)")
        return try WireJSON.decode(type, from: Data(text.utf8))
    }

    /// How a command fails, with what it says about that.
    func failure(_ arguments: [String], url: String? = nil, _ environment: [String: String] = [:]) throws -> Outcome {
        let program = try Self.start(
            arguments, url: url ?? self.url, environment: environment, errors: .merged)
        let text = program.text()
        return Outcome(text: text, status: program.exitStatus())
    }

    /// Settings of a federation for the adapter in `llama`, in a file.
    func settings(_ id: String, rounds: Int) throws -> String {
        let text = """
            id: \(id)
            base_model: {name: tiny-llama}
            adapter:
              max_rank: 16
              scaling: {mode: lora, alpha: 16}
              modules:
                model.layers.0.self_attn.q_proj: {in: 64, out: 64}
                model.layers.0.self_attn.v_proj: {in: 64, out: 32}
                model.layers.1.self_attn.q_proj: {in: 64, out: 64}
                model.layers.1.self_attn.v_proj: {in: 64, out: 32}
            round: {total: \(rounds), min_updates: 1}
            """
        return try folder.write("\(id).yaml", Array(text.utf8))
    }

    /// A trainer that gives PEFT's adapter in `llama` for every round.
    func trainer() throws -> String {
        let script = """
            cp \(Self.llama)/adapter_model.safetensors "$2"
            echo '{"samples": 600, "loss": 0.4, "accuracy": 0.5}' > "$2/metrics.json"
            """
        return "sh " + (try folder.write("trainer.sh", Array(script.utf8)))
    }

    /// A client that joins by a kit and by nothing else.
    func join(
        _ kit: String, _ arguments: [String] = [], environment: [String: String] = [:],
        errors: Program.Errors = .dropped
    ) throws -> Program {
        try Program(
            [
                Program.builtFolder() + "/rankwise-client", "join", "--kit", kit, "--data",
                Self.llama + "/adapter_config.json", "--trainer", trainer(), "--give-up-after", "60",
            ] + arguments,
            environment: ["XDG_STATE_HOME": folder.path("state")].merging(environment) { $1 }, errors: errors)
    }
}
