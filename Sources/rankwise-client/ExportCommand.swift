import AdapterFormat
import AdapterOperations
import ArgumentParser
import ClientAgent
import FoundationEssentials
import Glibc
import HTTPFetching
import RankwiseWire
import ServerCalls
import SystemPackage
import Training

/// Downloads a federation's result for use elsewhere.
struct ExportCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export",
        abstract: "Download what a federation has trained, as a PEFT folder or as merged weights.",
        discussion: """
            OUT gets adapter_model.safetensors and adapter_config.json, which PEFT loads as they are: all that the rounds \
            have trained, merges included, as one adapter. With --base, OUT gets that model instead, with the adapter \
            merged into it as PEFT's merge_and_unload does: the same files of the same types, in shards where it has \
            some. A language model's GGUF file becomes model.gguf. With --gguf, OUT gets adapter.gguf beside the PEFT files, \
            llama.cpp's LoRA for the language model of --base, and nothing is merged. What cannot be merged is refused by name, and nothing is written. RANKWISE_TOKEN, or the file of \
            --token-file, must hold a reader's, a client's or the admin's token of the federation.
            """)

    @OptionGroup var server: ServerOptions

    @Option(help: ArgumentHelp("Up to this round (default: the last one that was published).", valueName: "round"))
    var round: Int?

    @Option(
        help: ArgumentHelp(
            "Merge the adapter into this model: its folder, a safetensors file, an index of shards, or a GGUF file.",
            valueName: "model"))
    var base: String?

    @Flag(help: "Write the adapter as llama.cpp's LoRA for the language model of --base.")
    var gguf = false

    @Option(help: ArgumentHelp("The folder to write to.", valueName: "folder"))
    var out: String

    func validate() throws {
        guard !gguf || base != nil else {
            throw ValidationError("--gguf needs --base, the model that the adapter is for")
        }
    }

    func run() async throws {
        do {
            try FileManager.default.createDirectory(atPath: out, withIntermediateDirectories: true)
        } catch {
            throw ValidationError("--out: \(out) cannot be made")
        }
        do {
            let endpoint = FederationEndpoint(
                server: server.url, federation: server.federation, token: try server.access.token(),
                fetcher: try server.access.fetcher())
            let number = try await publishedRound(endpoint)
            let names = ["adapter_model.safetensors", "adapter_config.json"].map { "\(out)/\($0)" }
            try await endpoint.downloadModel(
                round: number, to: names[0], configuration: names[1], limit: Agent.Configuration.defaultAdapterLimit)
            if let base, gguf {
                try GGUFExport.writeAdapter(
                    names[0], try AdapterConfig(of: names[0]), base: base, to: out + "/adapter.gguf")
            } else if let base {
                defer { for name in names { unlink(name) } }
                let configuration = try AdapterConfig(of: names[0])
                if base.hasSuffix(".gguf") {
                    try GGUFExport.writeMerged(names[0], configuration, base: base, to: out + "/model.gguf")
                } else {
                    try MergedWeights.write(base: base, adapter: names[0], configuration: configuration, to: out)
                }
            }
            print("round \(number): \(out)")
        } catch let error as CallError {
            _ = try? FileDescriptor.standardError.writeAll("rankwise-client: \(error)\n".utf8)
            throw ExitStatus(error).code
        } catch let error as AdapterFileError {
            _ = try? FileDescriptor.standardError.writeAll("rankwise-client: \("\(error)".printable)\n".utf8)
            throw ExitStatus.refused.code
        }
    }

    private func publishedRound(_ endpoint: FederationEndpoint) async throws(CallError) -> Int {
        if let round { return round }
        guard let current = try await endpoint.currentRound(after: nil, wait: .zero) else { return 0 }
        var number = current.round
        while number > 0, try await endpoint.round(number).adapter == nil { number -= 1 }
        return number
    }
}
