import ArgumentParser
import RankwiseWire
import ServerCalls

/// The server, the federation, the token and the certificates.
struct ServerOptions: ParsableArguments {
    @Argument(help: "The server, such as http://10.0.0.5:8080.")
    var url: String

    @Option(help: ArgumentHelp("The federation.", valueName: "name"))
    var federation: String

    @OptionGroup var access: AccessOptions

    mutating func validate() throws {
        url = try Self.address(url)
        try Self.check(name: federation, of: "--federation")
    }

    /// A server's address without a slash at its end.
    static func address(_ text: String) throws -> String {
        do throws(AccessError) {
            return try ServerAddress(text).description
        } catch {
            throw ValidationError("\(error)")
        }
    }

    static func check(name: String, of option: String) throws {
        guard WireName.isSound(name) else {
            throw ValidationError("\(option) is '\(name)'; expected \(WireName.form)")
        }
    }
}
