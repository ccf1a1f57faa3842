import ArgumentParser
import RankwiseWire

/// Deletes a federation.
struct DeleteCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "delete", abstract: "Delete a federation with its updates and adapters.",
        discussion:
            "The last hash of its audit log is printed and stays on the server. Nothing else can be brought back.")

    @OptionGroup var target: FederationArgument
    @Flag(help: "Let another federation take the name.") var release = false
    @Flag(help: "Yes, delete it. Without this flag nothing is done.") var yes = false
    @OptionGroup var server: ConnectionOptions
    @OptionGroup var output: OutputOptions

    func validate() throws {
        guard yes else {
            throw ValidationError(
                "this deletes \(target.federation) with all its updates and adapters; say --yes if that is meant")
        }
    }

    func run() async throws {
        let answer = try await server.api().delete(target.federation, releasing: release)
        let departed = answer.body
        try output.show(
            answer.json,
            Cells.facts([
                ["deleted", departed.id], ["events", "\(departed.events)"], ["head", departed.head],
                ["name", departed.released ? "free again" : "stays taken"],
            ]))
    }
}
