import AdapterFormat
import AdapterOperations
import ArgumentParser
import ClientAgent
import FoundationEssentials
import ServerCalls
import Training

/// Combines a client's personal adapter with the shared one.
struct FuseCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "fuse",
        abstract: "Join a personal adapter with the shared one, by what does well on local data.",
        discussion: """
            Under the strategy fdlora a client trains an adapter of its own beside the shared one and keeps it in the folder \
            `personal` of its state folder. This finds how much of each serves best on --data, which should not be what was \
            trained on, and writes both as one adapter that PEFT loads. Prints the shares, accuracy and mean loss.
            """)

    @Argument(help: "The personal adapter's folder.") var personal: String
    @Argument(help: "The shared adapter's folder, as `export` writes it.") var shared: String
    @OptionGroup var options: LocalModelOptions
    @Option(help: ArgumentHelp("The folder to write to.", valueName: "folder"))
    var out: String

    func run() throws {
        let candidates = out + "/candidates"
        do {
            try FileManager.default.createDirectory(atPath: candidates, withIntermediateDirectories: true)
        } catch {
            throw ValidationError("--out: \(out) cannot be made")
        }
        defer { try? FileManager.default.removeItem(atPath: candidates) }
        do {
            let fusion = try AdapterFusion(personal: personal, shared: shared)
            let file = try AdapterFile(path: shared + "/adapter_model.safetensors")
            let (weights, result) = try fusion.search(
                on: options.task(for: file), settings: options.settings, folder: candidates)
            try fusion.write(weights, to: out + "/adapter_model.safetensors")
            try Data(fusion.configuration.json.utf8).write(
                to: URL(filePath: out + "/adapter_config.json"), options: .atomic)
            let shares = "personal=\(weights.personal.fixed(to: 4))\tshared=\(weights.shared.fixed(to: 4))"
            print("\(shares)\t\(result.line)")
        } catch {
            throw ValidationError("\(error)".printable)
        }
    }
}
