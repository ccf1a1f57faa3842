import ArgumentParser
import RankwiseWire

/// A sound name of a federation or a client.
struct Name: ExpressibleByArgument, Sendable, Hashable, CustomStringConvertible {
    let description: String

    init?(argument: String) {
        guard WireName.isSound(argument) else { return nil }
        description = argument
    }
}

/// The federation that a command is about.
struct FederationArgument: ParsableArguments {
    @Argument(help: "The federation: \(WireName.form).")
    var federation: Name
}
