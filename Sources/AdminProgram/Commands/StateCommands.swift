import ArgumentParser
import RankwiseWire

/// Changes a federation's state; each command below names the state.
protocol StateCommand: AsyncParsableCommand {
    static var state: String { get }
    var target: FederationArgument { get }
    var server: ConnectionOptions { get }
    var output: OutputOptions { get }
}

extension StateCommand {
    func run() async throws {
        let answer = try await server.api().change(target.federation, FederationPatch(state: Self.state))
        try output.show(answer.json, ["federation \(target.federation) is \(answer.body.state)"])
    }
}

struct PauseCommand: StateCommand {
    static let configuration = CommandConfiguration(
        commandName: "pause", abstract: "Open no new round; the current one goes on.")
    static let state = "paused"

    @OptionGroup var target: FederationArgument
    @OptionGroup var server: ConnectionOptions
    @OptionGroup var output: OutputOptions
}

struct ResumeCommand: StateCommand {
    static let configuration = CommandConfiguration(commandName: "resume", abstract: "End a pause.")
    static let state = "running"

    @OptionGroup var target: FederationArgument
    @OptionGroup var server: ConnectionOptions
    @OptionGroup var output: OutputOptions
}

struct FinishCommand: StateCommand {
    static let configuration = CommandConfiguration(
        commandName: "finish", abstract: "End a federation for good; what it published stays.",
        discussion: "A round that collects at that moment fails, and its updates are left out.")
    static let state = "finished"

    @OptionGroup var target: FederationArgument
    @OptionGroup var server: ConnectionOptions
    @OptionGroup var output: OutputOptions
}
