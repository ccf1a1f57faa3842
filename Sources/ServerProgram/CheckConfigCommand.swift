import ArgumentParser
import Coordinator
import CoordinatorAPI
import Federation
import RankwiseWire
import SettingsFiles

/// Checks a document of `Config/` without starting anything.
struct CheckConfigCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check-config",
        abstract: "Check a server's or a federation's settings document.",
        discussion: """
            Says what is wrong, naming the key, or that all is well. With --json a federation's document is printed as \
            JSON with every default written out, ready to be sent:

              rankwise-server check-config Config/digits.yaml --json |
                curl -H "Authorization: Bearer $ADMIN" -d @- http://127.0.0.1:8080/v1/federations
            """)

    @Argument(help: "A YAML or JSON document.") var file: String
    @Flag(help: "Print a federation's settings as JSON.") var json = false

    func run() throws {
        do {
            if try ConfigFile.describesFederation(file) {
                let settings = try Self.settings(file)
                if json {
                    print(
                        String(decoding: try WireJSON.encode(FederationDocument(settings), pretty: true), as: UTF8.self)
                    )
                } else {
                    print(
                        "\(file): ok, federation \(settings.id), strategy \(settings.strategy.name), \(settings.policy.total.counted("round"))"
                    )
                }
            } else {
                let settings = try ServerSettings(file: try ConfigFile.read(ServerDocument.self, from: file))
                print("\(file): ok, server on \(settings.listen)")
            }
        } catch let error as ConfigFile.Failure {
            throw ValidationError("\(error)")
        } catch let error as SettingsError {
            throw ValidationError("\(file): \(error)")
        }
    }

    private static func settings(_ file: String) throws -> FederationSettings {
        let settings = try FederationSettings(try ConfigFile.read(FederationDocument.self, from: file))
        try FederationService.check(settings)
        return settings
    }
}
