import ArgumentParser
import RankwiseWire

/// Sends a draft the adapter that it waits for.
struct TemplateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "template",
        abstract: "Send the adapter that a federation with adapter: {template: true} waits for.",
        discussion: """
            `create --template` does this at once. This command is for a draft whose adapter did not come, or was \
            refused. FOLDER holds adapter_model.safetensors and adapter_config.json.
            """)

    @OptionGroup var target: FederationArgument
    @Argument(help: "The adapter's folder.") var folder: String
    @OptionGroup var server: ConnectionOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let answer = try await TemplateFolder(folder).send(to: target.federation, server.api())
        try output.show(answer.json, Cells.facts([["state", answer.body.state]]))
    }
}
