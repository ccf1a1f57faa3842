import ArgumentParser
import RankwiseWire
import SettingsFiles

/// Creates a federation from a round of another.
struct ForkCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "fork",
        abstract: "Create a federation that begins with a round's adapter of another.",
        discussion: """
            The new federation has the other's settings. The keys in the file of --settings replace them, down to the \
            second level; id and adapter cannot be replaced. This alone shows the new federation's tokens.
            """)

    @OptionGroup var target: FederationArgument
    @Argument(help: "The new federation's name.") var name: Name
    @Option(help: "The round whose adapter it begins with (default: the newest).") var round: Int?
    @Option(help: ArgumentHelp("YAML or JSON with the settings to replace.", valueName: "file")) var settings: String?
    @OptionGroup var server: ConnectionOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        var changes: [String: JSONValue] = [:]
        if let settings {
            do throws(ConfigFile.Failure) {
                changes = try ConfigFile.read([String: JSONValue].self, from: settings)
            } catch {
                throw AdminError.file("\(error)")
            }
        }
        let created = try await server.api().fork(
            target.federation, ForkBody(id: name.description, round: round, settings: changes))
        try output.show(created.json, created.body.lines)
    }
}
