import ArgumentParser
import Crypto
import DurableFiles
import Foundation
import HTTPFetching
import RankwiseWire
import ServerCalls

/// Downloads an adapter as PEFT opens it.
struct DownloadCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "download",
        abstract: "Download an adapter and its configuration as PEFT opens them.",
        discussion: """
            FOLDER gets adapter_model.safetensors and adapter_config.json. The adapter's SHA-256 is compared with the \
            one that the server names. --round best is the round with the highest accuracy that clients measured, or \
            with the lowest loss where no round has one.
            """)

    /// What `--json` prints.
    private struct Downloaded: Encodable {
        var federation: String
        var round: Int
        var rank: Int?
        var folder: String
        var digest: String
        var bytes: Int64
    }

    @OptionGroup var target: FederationArgument
    @Option(help: "A round's number, `latest` or `best`.") var round: RoundChoice = .latest
    @Option(help: "Cut to this rank (default: the federation's maximum).") var rank: Int?
    @Flag(help: "Merges included, where the strategy publishes any: all that the rounds have trained, as one adapter.")
    var model = false
    @Option(help: ArgumentHelp("The folder to write to.", valueName: "folder")) var out: String
    @OptionGroup var server: ConnectionOptions
    @OptionGroup var output: OutputOptions

    func validate() throws {
        guard rank ?? 1 >= 1 else { throw ValidationError("--rank is \(rank ?? 0); expected at least 1") }
    }

    func run() async throws {
        let api = try server.api()
        let chosen = try await RoundPages(api, target.federation).round(round)
        do {
            try FileManager.default.createDirectory(atPath: out, withIntermediateDirectories: true)
        } catch {
            throw AdminError.file("--out: \(out) cannot be made")
        }
        let adapter = out + "/adapter_model.safetensors"
        let source = "rounds/\(chosen.round)"
        let query = rank.map { "?rank=\($0)" } ?? ""
        let response = try await api.download(
            target.federation, "\(source)/\(model ? "model" : "adapter")\(query)", to: adapter)
        let digest: String
        do throws(AdminError) {
            digest = try Self.check(adapter, response)
            let configuration = "\(source)/\(model ? "model/" : "")adapter_config.json\(query)"
            _ = try await api.download(target.federation, configuration, to: out + "/adapter_config.json")
        } catch {
            // An adapter without its own configuration means something else to PEFT.
            unlink(adapter)
            throw error
        }
        if !model, chosen.adapter?.merge == true {
            OutputOptions.note("round \(chosen.round) also published a merge; --model downloads both as one adapter")
        }
        try output.show(
            Downloaded(
                federation: target.federation.description, round: chosen.round, rank: rank, folder: out,
                digest: digest, bytes: response.savedBytes ?? 0),
            Cells.facts([
                ["round", "\(chosen.round)"], ["folder", out], ["size", "\(ByteCount(response.savedBytes ?? 0))"],
                ["digest", digest],
            ]) + ["", "from peft import PeftModel", "model = PeftModel.from_pretrained(base, \(Self.quoted(out)))"])
    }

    /// The file's digest, if the server named the same; its ETag is the SHA-256 of what it sends.
    private static func check(_ path: String, _ response: FetchResponse) throws(AdminError) -> String {
        var hash = SHA256()
        do throws(FileError) {
            try OwnedFile(path, for: .reading).readAll { (bytes) throws(FileError) in hash.update(bufferPointer: bytes)
            }
        } catch {
            throw .file("--out: \(error)")
        }
        let found = hash.finalize().map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        let named = response.fields["ETag"]?.filter { $0 != "\"" }
        guard named == found else {
            throw .damaged("the adapter that came has the SHA-256 \(found); the server said \(named ?? "nothing")")
        }
        return "sha256:" + found
    }

    /// The folder as a literal of Python.
    private static func quoted(_ folder: String) -> String {
        let path = URL(filePath: folder).standardizedFileURL.path
        return "\"" + path.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"") + "\""
    }
}
